#!/bin/sh
# info, check, verify, flags, help and --version say what the contract promises.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091,SC2046,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

build_lib b.so "$TESTS/feature/link_now.c"
freeze b.so c.so
"$TURF" freeze b.so -o d.so --json >freeze.json || fail "freeze --json"
cmp c.so d.so || fail "--json changed the output"
"$TURF" info --json c.so >c.json || fail "info --json"
"$TURF" info --json b.so >b.json || fail "info --json on a turf library"
if command -v python3 >/dev/null; then
  for file in freeze.json b.json c.json; do
    python3 -c 'import json, sys; json.load(open(sys.argv[1]))' $file || fail "$file is no JSON"
  done
fi
run "$TURF" info b.so >b.txt
run "$TURF" info c.so >c.txt
! cmp -s b.txt c.txt || fail "info does not tell a turf library from a urf library"
run "$TURF" check b.so
run "$TURF" verify c.so
# any byte of what is mapped
mapped=$(readelf -lW c.so | awk '$1 == "LOAD" { print $2, $5 }' | tail -n 1)
end=$((${mapped% *} + ${mapped#* }))
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  cp c.so bad.so
  offset=$((end * i / 21))
  byte=$(od -An -tu1 -j $offset -N 1 c.so)
  # shellcheck disable=SC2059
  printf "\\$(printf %o $((byte ^ 4)))" | dd of=bad.so bs=1 seek=$offset conv=notrunc 2>/dev/null
  status=0
  "$TURF" verify bad.so >out.txt 2>&1 || status=$?
  [ $status -eq 4 ] || [ $status -eq 1 ] || fail "byte $offset of $end changed: verify: status $status"
done
# by another name
ln -s b.so libb.so.1
ln -s c.so libc.so.1
run "$TURF" check ./libb.so.1
freeze libb.so.1 d.so
cmp c.so d.so || fail "the name of the input changed the output"
run "$TURF" verify libc.so.1
status=0
"$TURF" check c.so 2>stderr || status=$?
[ $status -eq 1 ] || fail "check of a urf library: status $status"

"$TURF" --version | grep -q '^turf [0-9]' || fail "--version"
run "$TURF" help >help.txt
for command in freeze check info verify flags; do
  grep -q "turf $command" help.txt || fail "help does not name $command"
  run "$TURF" help $command >one.txt
  [ -s one.txt ] || fail "help $command"
done
$CC_CMD $LD_FLAG -fPIC -shared -I"$TESTS/feature" -D_GNU_SOURCE "$TESTS/feature/link_now.c" \
  -o flags.so $("$TURF" flags)
freeze flags.so flagged.so

# nothing but the result on stdout, nothing at all with -q
run "$TURF" freeze -q b.so -o q.so >out.txt 2>&1
[ ! -s out.txt ] || fail "-q says: $(cat out.txt)"
