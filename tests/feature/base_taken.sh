#!/bin/sh
# A preferred base that is occupied: the library is relocated, as without one.
# not: mold it gives libraries no base
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"

base=0x123400000000
flag=$BASE_FLAG$base
build_driver
build_plain a.so "$TESTS/feature/link_now.c"
build_lib b.so "$TESTS/feature/link_now.c" -- $flag
run "$DRIVER" ./a.so >a.txt
run "$DRIVER" ./b.so >b.txt
same a.txt b.txt "linked with turf it answers otherwise"
freeze b.so c.so
run "$DRIVER" -f ./c.so >c.txt 2>at.txt
same a.txt c.txt "frozen it answers otherwise at its base"
grep -q "$base" at.txt || fail "not loaded at $base: $(cat at.txt)"
for _ in 1 2 3; do
  run "$DRIVER" -f -o $base ./c.so >c.txt 2>at.txt
  same a.txt c.txt "frozen it answers otherwise at another base"
  ! grep -q "$base" at.txt || fail "loaded at $base, which was occupied"
done
