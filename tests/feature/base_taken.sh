#!/bin/sh
# A preferred base that is occupied: the library is relocated, as without one.
# machines: yes
# not: mold it gives libraries no base
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"

flag=$BASE_FLAG$BASE
build_driver
build_plain a.so "$TESTS/feature/link_now.c"
build_lib b.so "$TESTS/feature/link_now.c" -- $flag
run "$DRIVER" ./a.so >a.txt
run "$DRIVER" ./b.so >b.txt
same a.txt b.txt "linked with turf it answers otherwise"
freeze b.so c.so
run "$DRIVER" -f ./c.so >c.txt 2>at.txt
same a.txt c.txt "frozen it answers otherwise at its base"
grep -q "$BASE" at.txt || fail "not loaded at $BASE: $(cat at.txt)"
for _ in 1 2 3; do
  run "$DRIVER" -f -o $BASE ./c.so >c.txt 2>at.txt
  same a.txt c.txt "frozen it answers otherwise at another base"
  ! grep -q "$BASE" at.txt || fail "loaded at $BASE, which was occupied"
done
