#!/bin/sh
# not: mold programs need urf.ld
# not: riscv64 its start-up code has a function in .preinit_array
# Position-independent programs with a dynamic linker: without turf, with it and frozen they give the same
# answers; and those that cannot be frozen.
# timeout: 300
# file: dynamic program
# shellcheck disable=SC1091,SC2046,SC2086,SC2153,SC2154
. "$(dirname "$0")/../lib.sh"
. "$TESTS/static.inc"

# link_pie OUT SOURCE [FLAG...]: with turf when $turf is not empty
link_pie() {
  out=$1 source=$2
  shift 2
  [ -z "$turf" ] || set -- "$@" ${MACHINE:+-L"$LIBDIR/turf/$MACHINE"} -L"$LIBDIR" -Wl,-T,urf.ld
  $(compiler "$source") $LD_FLAG -O2 -g $WARN -D_GNU_SOURCE -I"$TESTS/../loader" -I"$TESTS/feature" \
    -fPIC -pie "$source" -o "$out" -pthread "$@"
}

for name in heap.c functions.c exits.c; do
  source=$TESTS/feature/static/$name
  turf='' link_pie plain "$source"
  turf=1 link_pie program "$source"
  three_forms "$name"
done
! find . -name '.turf-*' | grep . || fail "copies are left"

# where it is loaded, and init again where its frozen state cannot be used
cat >where.c <<'END'
#include <stdio.h>
#include "urf.h"
static int *place, booted;
int boot(void)
{
  place = &booted;
  booted++;
  return 0;
}
int main(void)
{
  if (!urf_initialised())
    boot();
  printf("%d %d\n", booted, place == &booted);
  fprintf(stderr, "%d %p\n", urf_frozen(), (void *)place);
  return 0;
}
END
turf=1 link_pie where where.c
freeze where frozen --init boot -q
fixed_elsewhere frozen elsewhere
: >places
for program in where frozen frozen frozen frozen elsewhere; do
  answers $program out.txt 2>>places
  grep -qx '1 1' out.txt || fail "$program says $(cat out.txt)"
done
[ "$(cut -d ' ' -f 1 places | tr -d '\n')" = 011110 ] || fail "frozen: $(cat places)"
# the addresses an emulator gives may be the same each time
[ -n "$RUNNER" ] || [ "$(cat /proc/sys/kernel/randomize_va_space)" = 0 ] || [ "$(sort -u places | wc -l)" -gt 3 ] ||
  fail "it was not loaded at different addresses"
no_new_complaints where frozen
[ "$TURF" != none ] || exit 0

refused() { # TEXT FLAG...; the program is refused.c
  text=$1
  shift
  turf=1 link_pie refused refused.c "$@"
  expect_refusal 1 "$text" "$TURF" freeze refused -o "$OUT" --init boot
}
cat >refused.c <<'END'
static _Thread_local int own = 4;
int boot(void)
{
  return own++ != 4;
}
int main(void)
{
  return boot();
}
END
refused 'thread-local variables'
cat >refused.c <<'END'
#include <unistd.h>
int boot(void)
{
  return optind != 1;
}
int main(void)
{
  return boot();
}
END
# where compilers have no copies in a PIE there is nothing to refuse
case $CC-$MACHINE in gcc-) refused 'variable (optind)' -fPIE ;; esac
turf=1 link_pie refused refused.c
freeze refused frozen --init boot -q
run $RUNNER ./frozen
$CC_CMD $LD_FLAG -fno-pie -no-pie refused.c -o fixed ${MACHINE:+-L"$LIBDIR/turf/$MACHINE"} -L"$LIBDIR" -Wl,-T,urf.ld
expect_refusal 1 'at a fixed address with a dynamic linker' "$TURF" freeze fixed -o "$OUT" --init boot
