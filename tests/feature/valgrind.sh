#!/bin/sh
# Under valgrind, which replaces the allocator, a frozen library works and is told nothing new.
# configs: gcc-bfd-glibc clang-lld-glibc
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
need valgrind

build_driver
build_plain a.so "$TESTS/feature/link_now.c" -- -O1 -g
build_lib b.so "$TESTS/feature/link_now.c" -- -O1 -g
run "$DRIVER" ./a.so >a.txt
run valgrind -q --error-exitcode=99 "$DRIVER" ./b.so >b.txt
same a.txt b.txt "linked with turf it answers otherwise"
freeze b.so c.so
run valgrind -q --error-exitcode=99 "$DRIVER" -f ./c.so >c.txt
same a.txt c.txt "frozen it answers otherwise"
