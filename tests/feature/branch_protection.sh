#!/bin/sh
# Code whose indirect branches may only lead to marked places (IBT, BTI), with protected return addresses
# (shadow stacks, PAC): turf's loader is fit for that, so that the library stays marked as fit, frozen or not.
# machines: yes
# not: riscv64 it has nothing of the kind
# not: armhf it has nothing of the kind
# not: s390x it has nothing of the kind
# not: mold-aarch64 mold 1.10 leaves out the note that marks code, without turf as well
# not: i386 no kernel does it for programs of 32 bits, and libgcc, which the loader has parts of, is not marked
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
build_driver
case ${MACHINE:-x86_64} in
x86_64) flag=-fcf-protection=full marks='IBT, SHSTK' place=endbr64 ;;
aarch64) flag=-mbranch-protection=standard marks='BTI, PAC' place='bti|paciasp' ;;
esac
tools=${TRIPLE:+$TRIPLE-}
marked() { # FILE
  readelf -nW "$1" 2>/dev/null >notes
  [ "$(grep -c "feature: $marks\$" notes)" -eq 1 ] || fail "$1 is not marked with $marks: $(cat notes)"
}

# every function that a pointer leads to
landings() { # FILE
  ${tools}objdump -d --no-show-raw-insn "$1" |
    awk '/^ +[0-9a-f]+:/ { sub(":", "", $1); print $1, $2 }' | sort >code
  [ "$(wc -l <code)" -gt 1000 ] || fail "$1 has hardly any code"
  ${tools}readelf -rW "$1" | awk '$3 ~ /_RELATIVE$/ { print $4 }' | sort >pointers
  join pointers code >reached
  [ "$(wc -l <reached)" -ge 2 ] || fail "no function is pointed to in $1"
  ! grep -vE " ($place)" reached || fail "a pointer of $1 leads to code that does not begin with $place"
}

# The C library's start files are not marked everywhere, and one file without the mark takes it from the whole.
{
  echo '#include "mix.h"'
  echo 'static volatile int order; __attribute__((destructor)) static void end(void) { order--; }'
} >library.c
build_plain a.so library.c -- -O2 $flag -nostartfiles
marked a.so
if [ -n "$RUNNER" ] && [ $LIBC = glibc ]; then # which tells the emulator to look where branches lead
  cat >stray.c <<'END'
#include "feature.h"
__asm__(".text\n.type stray, %function\nstray: mov x0, 5\nret\n");
int stray(void);
static int (*volatile lost)(void) = stray;
int urf_init(void) { return 0; }
void answer(FILE *out) { fprintf(out, "%d\n", lost()); }
END
  build_plain stray.so stray.c -- $flag -nostartfiles
  marked stray.so
  ! "$DRIVER" ./stray.so >out.txt 2>&1 || fail "nobody looks where branches lead: $(cat out.txt)"
fi
build_lib b.so library.c -- -O2 $flag -nostartfiles
marked b.so
landings b.so
freeze b.so c.so -q
marked c.so
no_new_complaints b.so c.so
fixed_elsewhere c.so d.so
for options in -n -l -t -F; do
  run "$DRIVER" $options ./a.so >want.txt
  run "$DRIVER" $options ./b.so >out.txt
  same want.txt out.txt "with turf it answers otherwise (driver $options)"
  for frozen in c d; do
    run "$DRIVER" $options -f ./$frozen.so >out.txt 2>/dev/null
    same want.txt out.txt "$frozen.so answers otherwise (driver $options)"
  done
done

# what linkers say when a file is not fit
case $LD in
bfd) [ "$place" = endbr64 ] && link_lib "$TURF_FLAGS -nostartfiles -Wl,-z,cet-report=error,-z,ibt,-z,shstk" b.so library.c -- $flag ;;
lld) case ${MACHINE:-x86_64} in
  aarch64) what=-Wl,-z,force-bti,-z,pac-plt ;;
  *) what=-Wl,-z,cet-report=error,-z,force-ibt,-z,shstk ;;
  esac
  build_lib b.so library.c -- $flag -nostartfiles $what 2>said
  ! grep 'does not have' said || fail "the linker finds turf's loader not fit" ;;
esac
marked b.so
