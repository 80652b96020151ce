#!/bin/sh
# Libraries of other machines: what is missing to run them is said in one line, with the cure.
# configs: gcc-bfd-glibc
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
cat >library.c <<'END'
#include <stdlib.h>
static int *numbers;
int urf_init(void)
{
  numbers = malloc(40);
  return numbers ? numbers[3] = 7, 0 : 1;
}
int answer(void) { return numbers[3]; }
END
build_lib b.so library.c

# refused STATUS TEXT COMMAND...: in one line
refused() {
  expect_refusal "$@"
  [ "$(wc -l <stderr)" -eq 1 ] || fail "more than one line: $*"
}
frozen() { "$TURF" freeze "$@" -o "$OUT"; }

machine() { # OCTAL: b.so as if it were another machine's
  cp b.so other.so
  # shellcheck disable=SC2059
  printf "\\$1" | dd of=other.so bs=1 seek=18 conv=notrunc 2>/dev/null
}
machine 002
refused 1 "a machine that this turf does not know (e_machine 2, 64 bits, little-endian); it knows x86-64, aarch64" \
  frozen other.so
refused 1 "does not know" "$TURF" info other.so
machine 267 # aarch64
if [ -e "$LIBDIR/turf/host-aarch64-glibc" ]; then
  refused 3 "give --runner what runs those, such as 'qemu-aarch64" frozen other.so
else
  refused 3 "no host program for the library's machine" frozen other.so
fi
refused 1 "other.so: is for aarch64, and --host $LIBDIR/turf/host-x86_64-glibc for x86-64" \
  frozen other.so --host "$LIBDIR/turf/host-x86_64-glibc"
"$TURF" info other.so | grep -q '^machine  *aarch64, glibc$' || fail "turf info does not say which machine"

# turf without any host
mkdir -p alone/bin
cp "$TURF" alone/bin/turf
refused 3 "no host program for the library's machine" alone/bin/turf freeze b.so -o "$OUT"
refused 3 "no liburf.a for that machine" alone/bin/turf flags aarch64
refused 3 "no liburf.a for that machine" "$TURF" flags nosuch
refused 3 "no liburf.a for that machine" "$TURF" flags ../turf

# what shall start the host
refused 3 "no/such/emulator -L /: No such file or directory; install" frozen b.so --runner "no/such/emulator -L /"
refused 3 "the command of --runner (false) ended before the host program had begun" frozen b.so --runner false
refused 3 "the command of --runner ( true  -n) ended before" frozen b.so --runner " true  -n"
refused 2 "--runner is empty" frozen b.so --runner " "
refused 2 "--runner needs an argument" "$TURF" freeze b.so -o "$OUT" --runner

refused 2 "--memcheck and --runner do not go together" frozen b.so --runner env --memcheck

# one that is no emulator, and starts it
run "$TURF" freeze b.so -o "$OUT" --runner "env -u NOTHING"
"$TURF" info "$OUT" | grep -q '^  runner  *env -u NOTHING$' || fail "the recipe does not have the command"
run "$TURF" verify "$OUT"
"$TURF" verify "$OUT" --runner false 2>said && fail "another command than the recipe's was not used"
grep -q "the command of --runner (false)" said || fail "it does not say so: $(cat said)"
