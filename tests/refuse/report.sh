#!/bin/sh
# What a report says of a word: where it hangs, what it holds in each run, and what accepts it; and that it
# says so in two screens, however many there are.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091,SC2086,SC3045
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

# report NAME [OPTION...]: what turf check says of NAME.so, which it refuses, is in NAME.txt
report() {
  name=$1
  shift
  status=0
  "$TURF" check "$@" "$name.so" 2>"$name.txt" || status=$?
  cat "$name.txt"
  [ $status -eq 1 ] || fail "$name: status $status"
}

# says NAME TEXT: on one line, blanks at its beginning aside
says() {
  grep -qF -e "$2" "$1.txt" || fail "$1: the report does not say: $2"
}

# address SYMBOL FILE
address() {
  nm "$2" | awk -v s="$1" '$3 == s { print $1 }'
}

# word FILE OFFSET: eight bytes as a number
word() { od -An -tx8 -j "$2" -N 8 "$1" | tr -d ' '; }

# random numbers in a variable, in blocks that a table leads to, in a list, and in a leaked block
cat >many.c <<'END2'
#include "feature.h"
struct node { struct node *next; long key; unsigned long stamp; };
static struct state { int kind; struct node *table[4]; } state;
static struct node *list;
unsigned long seed;
static unsigned long fresh(void) { return seed += seed << 7 ^ seed >> 9; }
__attribute__((noinline)) static struct node *make(void)
{
  struct node *n = calloc(1, sizeof *n);
  n->stamp = fresh();
  return n;
}
__attribute__((noinline)) static void hang(struct node **where)
{
  *where = malloc(sizeof **where);
  (*where)->next = 0;
  (*where)->key = 1;
  (*where)->stamp = fresh();
}
__attribute__((noinline)) static void chain(void)
{
  for (int i = 0; i < 20; i++) {
    struct node *n = malloc(sizeof *n);
    n->next = list;
    n->key = i;
    n->stamp = i ? 7 : fresh();
    list = n;
  }
}
__attribute__((noinline)) static void leak(void)
{
  unsigned long *gone = malloc(16);
  *gone = fresh();
  __asm__ volatile("" : : "r"(gone) : "memory");
}
int urf_init(void)
{
  FILE *f = fopen("/dev/urandom", "r");
  if (!f || fread(&seed, sizeof seed, 1, f) != 1 || fclose(f))
    return 1;
  state.table[3] = make();
  hang(&state.table[3]->next);
  list = state.table[3]->next; /* one step to what hang has made */
  chain();
  leak();
  return 0;
}
END2
build_lib many.so many.c -- -g -O1
report many --keep runs
say=$(sed -n 's/^ *reached by: *//p' many.txt | sed 's/+0x[0-9a-f]*//g')
echo "$say" >routes
cat >expected <<'END2'
state+32 -> block of make +16
list+0 -> block of chain +0 -> block of chain +0 -> block of chain +0 -> (14 more) -> block of chain +0 -> block of chain +0 -> block of chain +16
state+32 -> block of make +0 -> block of hang +16
no pointer that turf has found; a leak?
END2
sort routes >a
sort expected >b
same b a "routes"

# the values are those of the runs
offset=$((0x$(address seed many.so) - 0x$(address __urf_data many.so)))
line="seed+0 (.bss):"
for run in 1 2 3; do line="$line 0x$(word runs/data$run $offset)"; done
says many "$line"
grep -c 'to accept it:' many.txt | grep -qx 5 || fail "not every group has a policy"

[ "$LIBC" = glibc ] || exit 0
# a million words in two screens, and no step that takes the square of their number; the limit is one
# of the processor's seconds
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
  (ulimit -t 20 && report million --runs 2) >/dev/null || fail "$what: too slow, or not refused"
  says million "1000000 words cannot be frozen"
  [ "$(fold -w 100 million.txt | wc -l)" -le 100 ] || fail "$what: $(wc -l <million.txt) lines"
  [ "${what% *}" = $few ] || continue
  (ulimit -t 20 && "$TURF" check --runs 2 --suggest million.so 2>/dev/null) >policy || :
  sed -i 's/REASON$/they are drawn once/' policy
  (ulimit -t 20 && run "$TURF" check --runs 2 --policy policy million.so) || fail "$what: the policy"
done
