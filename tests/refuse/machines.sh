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

machine() { # OCTAL [OCTAL]: b.so as if it were another machine's
  cp b.so other.so
  # shellcheck disable=SC2059
  printf "\\$1\\${2:-000}" | dd of=other.so bs=1 seek=18 conv=notrunc 2>/dev/null
}
machine 002
refused 1 "a machine that this turf does not know (e_machine 2, 64 bits, little-endian); it knows x86-64, aarch64" \
  frozen other.so
refused 1 "does not know" "$TURF" info other.so
machine 010 # mips
refused 1 "e_machine 8, 64 bits, little-endian" frozen other.so
machine 025 # ppc64
refused 1 "e_machine 21, 64 bits, little-endian" frozen other.so
machine 002 001 # loongarch
refused 1 "e_machine 258, 64 bits, little-endian" frozen other.so
machine 076
printf '\002\000\001' | dd of=other.so bs=1 seek=5 conv=notrunc 2>/dev/null # a header of the other byte order
printf '\000\076' | dd of=other.so bs=1 seek=18 conv=notrunc 2>/dev/null
refused 1 "damaged: the start of its ELF header" frozen other.so
printf '\001' | dd of=other.so bs=1 seek=6 conv=notrunc 2>/dev/null
refused 1 "e_machine 62, 64 bits, big-endian" frozen other.so
machine 076
printf '\001' | dd of=other.so bs=1 seek=4 conv=notrunc 2>/dev/null # x32
refused 1 "e_machine 62, 32 bits, little-endian" frozen other.so
machine 267 # aarch64
if [ -e "$LIBDIR/turf/host-aarch64-glibc" ]; then
  refused 3 "give --runner what runs those, such as 'qemu-aarch64" frozen other.so
else
  refused 3 "no host program for the library's machine" frozen other.so
fi
refused 1 "other.so: is for aarch64, and --host $LIBDIR/turf/host-x86_64-glibc for x86-64" \
  frozen other.so --host "$LIBDIR/turf/host-x86_64-glibc"
"$TURF" info other.so | grep -q '^machine  *aarch64, glibc$' || fail "turf info does not say which machine"

# musl has other types there: a library that says it needs musl
if [ -e "$LIBDIR/turf/i386/liburf_shared.a" ]; then
  : >empty.c
  i686-linux-gnu-gcc -shared -fPIC -nostdlib -Wl,-soname,libc.so -o libc.so empty.c
  i686-linux-gnu-gcc -shared -fPIC -nodefaultlibs -Wl,--no-as-needed library.c -o musl32.so libc.so -L"$LIBDIR/turf/i386" -L"$LIBDIR" -T urf.ld
  echo 'int urf_init(void) { return 0; } int main(void) { return 0; }' >program.c
  i686-linux-gnu-gcc -static program.c -o program -L"$LIBDIR/turf/i386" -L"$LIBDIR" -Wl,-T,urf.ld
  run "$TURF" freeze program -o "$OUT"
  at=$(readelf -SW program | awk '{ sub(/^ *\[ *[0-9]+\]/, "") } $1 == ".note.ABI-tag" { print $4 }')
  printf '\377' | dd of=program bs=1 seek=$((0x$at + 8)) conv=notrunc status=none # of another type
  refused 1 "program: is for musl on a machine with 32 bits" frozen program
  refused 1 "musl32.so: is for musl on a machine with 32 bits, where that has wider file offsets" frozen musl32.so
fi

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

# scripts that start nothing, that are none, and that go on without an end; named from the current directory
printf '#!/bin/sh\necho "no emulator"\nexit 0\n' >./talk
printf '#!/bin/sh\nhead -c 1000000 /dev/zero\nexec sleep 60\n' >./flood
printf '#!/bin/sh\nexec "$@"\n' >./pass
chmod +x talk flood pass
echo 'exec "$@"' >text
expect_refusal 3 "the command of --runner (./talk) ended before" frozen b.so --runner ./talk
grep -qx '  | no emulator' stderr || fail "it does not say what the command said: $(cat stderr)"
refused 3 "/text: Permission denied; what --runner names has to be a program" frozen b.so --runner ./text
refused 3 "$WORK: Permission denied; what --runner names has to be a program" frozen b.so --runner "$WORK"
refused 3 "./absent: No such file or directory; install what --runner names" frozen b.so --runner ./absent
expect_refusal 3 "(./flood) has not begun the host program within 1 s" frozen b.so --runner ./flood --time-limit 1
if command -v qemu-aarch64 >/dev/null; then
  expect_refusal 3 "does it run programs of x86-64, with their libc" frozen b.so --runner qemu-aarch64
fi
run "$TURF" freeze -q b.so -o "$OUT" --runner "./pass ./pass"
"$TURF" info "$OUT" | grep -q "^  runner  *$WORK/pass $WORK/pass\$" || fail "the recipe has a relative path"
(cd / && run "$TURF" verify -q "$OUT")

# the host program's place
refused 3 "--host /bin/true ended before it had said that it is a host program of turf's" \
  frozen b.so --host /bin/true
refused 3 "/text: --host: Permission denied" frozen b.so --host ./text
refused 3 "./absent: --host: No such file or directory" frozen b.so --host ./absent

refused 2 "--runner is empty" frozen b.so --runner " "
refused 2 "--runner needs an argument" "$TURF" freeze b.so -o "$OUT" --runner

refused 2 "--memcheck and --runner do not go together" frozen b.so --runner env --memcheck

# one that is no emulator, and starts it
run "$TURF" freeze b.so -o "$OUT" --runner "env -u NOTHING"
"$TURF" info "$OUT" | grep -q '^  runner  *env -u NOTHING$' || fail "the recipe does not have the command"
run "$TURF" verify "$OUT"
"$TURF" verify "$OUT" --runner false 2>said && fail "another command than the recipe's was not used"
grep -q "the command of --runner (false)" said || fail "it does not say so: $(cat said)"
