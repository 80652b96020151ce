#!/bin/sh
# A million words are reported in two screens, and in seconds, wherever they are.
# configs: gcc-bfd-glibc
# timeout: 900
# shellcheck disable=SC1091,SC2086,SC3045
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

# refused NAME [OPTION...]: what turf check says of NAME.so is in NAME.txt
refused() {
  name=$1 status=0
  shift
  "$TURF" check "$@" "$name.so" 2>"$name.txt" || status=$?
  [ $status -eq 1 ] || fail "$name: status $status: $(cat "$name.txt")"
}

# no step takes the square of their number; the limit is one of the processor's seconds
few=100000
awk -v n=$few 'BEGIN {
  for (i = 0; i < n; i++) print "static unsigned long v" i "[10];"
  print "static unsigned long *const all[] = {"
  for (i = 0; i < n; i++) print "v" i ","
  print "};"
}' >names.h
cat >million.c <<'END2'
#include "feature.h"
#if SITES
#include "names.h"
#else
static unsigned long *all[BLOCKS];
#endif
int urf_init(void)
{
  unsigned long seed;
  FILE *f = fopen("/dev/urandom", "r");
  if (!f || fread(&seed, sizeof seed, 1, f) != 1 || fclose(f))
    return 1;
  for (int i = 0; i < BLOCKS; i++) {
#if !SITES
    all[i] = malloc(1000000 / BLOCKS * sizeof *all[i]);
#endif
    for (int j = 0; j < 1000000 / BLOCKS; j++)
      all[i][j] = seed += seed << 7 ^ seed >> 9;
  }
  return 0;
}
END2
for what in "1 0" "1000 0" "$few 0" "$few 1"; do
  build_lib million.so million.c -- -O1 "-DBLOCKS=${what% *}" "-DSITES=${what#* }"
  (ulimit -t 20 && refused million --runs 2) >/dev/null || fail "$what: too slow, or not refused"
  grep -q "1000000 words cannot be frozen" million.txt || fail "$what: $(tail -n 3 million.txt)"
  [ "$(fold -w 100 million.txt | wc -l)" -le 100 ] || fail "$what: $(wc -l <million.txt) lines"
  [ "${what% *}" = $few ] || continue
  (ulimit -t 30 && "$TURF" check --runs 2 --json million.so 2>/dev/null) >json || :
  grep -c '"policy":\["' json | grep -q "^$([ "$what" = "$few 1" ] && echo $few || echo 1)$" ||
    fail "$what: not all is in the JSON"
  (ulimit -t 20 && "$TURF" check --runs 2 --suggest million.so 2>/dev/null) >policy || :
  sed -i 's/REASON$/they are drawn once/' policy
  (ulimit -t 20 && run "$TURF" check --runs 2 --policy policy million.so) || fail "$what: the policy"
done

# the time in a million halves of numbers, and a million digits
cat >many.c <<'END2'
#include "feature.h"
#include <time.h>
#if DIGITS
char text[1000000];
#else
struct { int64_t when; long number; } stamps[500000];
#endif
int urf_init(void)
{
#if DIGITS
  unsigned long seed;
  FILE *f = fopen("/dev/urandom", "r");
  if (!f || fread(&seed, sizeof seed, 1, f) != 1 || fclose(f))
    return 1;
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (char)('0' + (seed += seed << 7 ^ seed >> 9) % 10);
#else
  const int64_t now = time(0);
  for (int i = 0; i < 500000; i++) {
    stamps[i].when = now;
    stamps[i].number = i;
  }
#endif
  return 0;
}
END2
build_lib stamps.so many.c -- -O1 -DDIGITS=0
(ulimit -t 30 && run "$TURF" check --runs 2 stamps.so) >stamps.txt 2>&1 || fail "$(tail -n 3 stamps.txt)"
build_lib digits.so many.c -- -O1 -DDIGITS=1
(ulimit -t 30 && refused digits --runs 2) || fail "digits"
