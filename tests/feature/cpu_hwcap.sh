#!/bin/sh
# What the CPU has besides, as the kernel tells it: on one that lacks any of it init runs again, if it may have
# looked.
# configs: gcc-bfd-glibc-aarch64
# shellcheck disable=SC1091,SC2086,SC2154
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
build_driver

cat >looks.c <<'END'
#include "feature.h"
#include <sys/auxv.h>
static unsigned long seen, inits;
int urf_init(void)
{
#ifdef INSTRUCTION
  __asm__ volatile("mrs %0, id_aa64isar0_el1" : "=r"(seen));
#elif defined FUNCTION
  seen = getauxval(AT_HWCAP);
#endif
  seen = !!seen;
  inits++;
  return 0;
}
void answer(FILE *out) { fprintf(out, "%lu %lu\n", seen, inits); }
END
for how in INSTRUCTION FUNCTION NOT; do
  build_lib b-$how.so looks.c -- -D$how
  freeze b-$how.so c-$how.so
  "$TURF" info c-$how.so >said
  if [ $how = NOT ]; then wanted='any$'; else wanted='with the features'; fi
  grep -q "^cpu  *$wanted" said || fail "$how: turf info does not say: $wanted"
  for cpu in max cortex-a53; do
    run env URF_DEBUG=1 QEMU_CPU=$cpu "$DRIVER" -n -f ./c-$how.so >out.txt 2>said
    case $cpu-$how in
    *-NOT | max-*) grep -q 'frozen; bias' said || fail "$how, $cpu: $(cat said)" ;;
    *)
      grep -q 'init is run: init may have seen features of the CPU that this one lacks, in AT_HWCAP' said ||
        fail "$how, $cpu: $(cat said)"
      ;;
    esac
    if [ $how = NOT ]; then wanted='0 1'; else wanted='1 1'; fi
    [ "$(sed -n 2p out.txt)" = "$wanted" ] || fail "$how, $cpu: $(cat out.txt)"
  done
done
