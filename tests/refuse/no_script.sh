#!/bin/sh
# What a linker that reads no script has put where turf cannot take it for the region is refused, by name.
# configs: gcc-mold-glibc
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >library.c <<'END'
#include <urf.h>
#ifdef BEHIND
__asm__(".section .zeros,\"aw\",%nobits\n.globl zeros\n.hidden zeros\nzeros:\n.zero 64\n.previous\n");
extern __attribute__((visibility("hidden"))) int zeros[16];
#elif defined FRONT
__attribute__((section(".app"))) int zeros[16] = {1};
#elif defined FULL
__attribute__((section(".zeros"))) int zeros[16] = {1};
#elif defined TRANSIENT
URF_TRANSIENT static volatile int zeros[16];
#else
static volatile int zeros[16];
#endif
int urf_init(void) { zeros[1] = 2; return 0; }
int get(void) { return zeros[1]; }
END
refused() { # TEXT FLAG
  build_lib b.so library.c -- -I"$TESTS/../loader" $2
  expect_refusal 1 "$1" "$TURF" freeze b.so -o "$OUT"
}
refused ".zeros stands behind the heap" -DBEHIND
refused ".app stands in front of .data" -DFRONT
refused "URF_TRANSIENT" -DTRANSIENT
for flag in -O1 -DFULL -s -Wl,-z,now -Wl,--gc-sections; do
  build_lib b.so library.c -- -I"$TESTS/../loader" $flag
  run "$TURF" freeze -q b.so -o c.so
  run "$TURF" verify -q c.so
done
build_lib b.so library.c -- -I"$TESTS/../loader" -Wl,-z,pack-relative-relocs # mold leaves out what glibc asks for
expect_refusal 1 "link it without --pack-dyn-relocs=relr" "$TURF" freeze b.so -o "$OUT"
need eu-strip=elfutils
run eu-strip --strip-sections b.so
expect_refusal 1 'was not linked with urf.ld' "$TURF" freeze b.so -o "$OUT"
