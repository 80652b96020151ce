#!/bin/sh
# Bytes that look like addresses of what the kernel has placed by chance: where blocks lie must not depend on
# that, or two freezes differ, and a fresh init is not what was frozen.
# configs: gcc-bfd-glibc gcc-bfd-glibc-i386
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >b.c <<'END'
#include "feature.h"
static unsigned char *blocks[1024];
int urf_init(void)
{
  for (int i = 0; i < 1024; i++)
    memset(blocks[i] = malloc(100), i, 100);
  return 0;
}
END
build_lib b.so b.c
freeze b.so c.so -q
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
  freeze b.so again.so -q
  cmp c.so again.so || fail "two freezes differ"
  run "$TURF" verify -q c.so
done
