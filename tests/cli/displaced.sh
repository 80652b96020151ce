#!/bin/sh
# In every run everything is displaced by an amount of its own: library, libc, dynamic linker, stack
# and break; the second run has all bits of libc's address turned over.  --keep leaves the raw images of the runs.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
[ "$(cat /proc/sys/kernel/randomize_va_space)" != 0 ] ||
  skip "address space layout randomization is off"

cat >library.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static char *word;
int urf_init(void)
{
  char line[500], what[500], last[500] = "";
  unsigned long at;
  struct timespec now;
  FILE *f = fopen("/proc/self/maps", "r");
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "%lx-%*s %*s %*s %*s %*s %499s", &at, what) == 2 && strcmp(what, last)) {
      fprintf(stderr, "map %lx %s\n", at, what);
      strcpy(last, what);
    }
  word = strdup("word");
  return !f || fclose(f) || clock_gettime(CLOCK_MONOTONIC, &now); /* without the vDSO */
}
END
build_lib b.so library.c
run "$TURF" check -v -q --runs 3 --keep kept b.so >check.txt 2>&1
cat check.txt
# a process that shows how the heap shall be laid out, at the addresses of the first run; then four: three
# runs and the proof; without -q there are more, at those addresses, too
awk '
  /says:/ { run++ }
  $2 == "map" && $4 !~ /vsyscall|vvar|vdso/ && !((run, $4) in seen) {
    seen[run, $4] = 1
    at[run, $4] = $3
    name[$4] = 1
  }
  END {
    for (what in name) for (i = 2; i < run; i++) for (j = i + 1; j <= run; j++)
      if (((i, what) in at) && ((j, what) in at))
        print i, j, what, at[i, what], at[j, what]
  }' check.txt >pairs
[ "$(wc -l <pairs)" -ge 30 ] || fail "not all of five things were seen in four processes"
while read -r i j what from to; do
  by=$((0x$to - 0x$from))
  [ $by -ne 0 ] || fail "$what is at the same address in runs $i and $j"
  echo "$i $j $by"
done <pairs >moved
sort moved | uniq -d >equal
[ ! -s equal ] || { cat equal && fail "two things were displaced by the same amount"; }

for i in 1 2 3; do
  [ -s kept/data$i ] || fail "--keep left no data$i"
  grep -q word kept/heap$i || fail "--keep left no heap$i, or not that of the library"
done
