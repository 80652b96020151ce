#!/bin/sh
# A frozen library in a program that is built with the address sanitizer.
# configs: gcc-bfd-glibc clang-lld-glibc
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"

echo 'int main(void) { return 0; }' >empty.c
$CC_CMD -fsanitize=address,undefined empty.c -o empty 2>/dev/null ||
  skip "the sanitizers of $CC are missing (Debian package libclang-rt-dev for clang)"
$CC_CMD -fsanitize=address,undefined -g -O1 -D_GNU_SOURCE "$TESTS/driver.c" -o driver -pthread -ldl
build_plain a.so "$TESTS/feature/heap.c" -- -O1 -fno-builtin
build_lib b.so "$TESTS/feature/heap.c" -- -O1 -fno-builtin
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
run ./driver ./b.so >b.txt
freeze b.so c.so
run ./driver -f ./c.so >c.txt
same b.txt c.txt "frozen it answers otherwise"
