#!/bin/sh
# No space for the output, on a file system of its own: a line that says so, and nothing half-written.
# configs: gcc-bfd-glibc
# shellcheck disable=SC1091,SC2016
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >large.c <<'END'
#include "feature.h"
static unsigned bytes[1 << 20];
int urf_init(void)
{
  uint32_t seed = 1;
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
    bytes[i] = draw(&seed);
  return 0;
}
END
build_lib large.so large.c
mkdir full && touch left old
export TURF
options=-m
[ "$(id -u)" = 0 ] || options=-rm
unshare $options mount -t tmpfs -o size=1M none full 2>stderr || skip "no file system can be mounted: $(cat stderr)"
cat >script <<'END'
mount -t tmpfs -o size=1M none full && echo old >full/out.so || exit
"$TURF" freeze large.so -o full/out.so
status=$?
ls -A full >left
cp full/out.so old
exit $status
END
expect_refusal 3 'full/out.so: cannot be written: No space left' unshare $options sh script
[ "$(cat left)" = out.so ] || fail "left behind: $(cat left)"
[ "$(cat old)" = old ] || fail "the old output is not as it was"
