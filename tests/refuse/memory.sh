#!/bin/sh
# No memory for a freeze, in a control group of its own: a line that says how much it takes, before the kernel ends
# a process.
# configs: gcc-bfd-glibc
# timeout: 300
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >large.c <<'END'
#include "feature.h"
static char *block;
int urf_init(void)
{
  block = malloc((size_t)200 << 20);
  if (!block)
    return 1;
  memset(block, 'x', (size_t)TOUCHED << 20);
  return 0;
}
END
for touched in 200 20; do
  build_lib $touched.so large.c -- -DTOUCHED=$touched -Wl,--defsym=__urf_heap_size=0x10000000
done

group=/sys/fs/cgroup/memory/turf-test-$$ limit=memory.limit_in_bytes
[ -d /sys/fs/cgroup/memory ] || group=/sys/fs/cgroup/turf-test-$$ limit=memory.max
mkdir "$group" 2>stderr || skip "no control group can be made: $(cat stderr)"
trap 'rmdir "$group"' EXIT
echo 400M >"$group/$limit" 2>stderr || skip "no limit can be set: $(cat stderr)"

# inside COMMAND...: in the group
cat >inside <<'END'
echo $$ >"$GROUP/cgroup.procs" && exec "$@"
END
export GROUP="$group"
expect_refusal 3 'its state after init has 200 MiB; to freeze it takes 500 MiB of memory more' \
  sh inside "$TURF" freeze 200.so -o "$OUT"
# pages that are never touched take none
run sh inside "$TURF" freeze 20.so -o "$OUT"
