#!/bin/sh
# --fixed: what depends on all bits of addresses is right at the preferred base, and elsewhere init runs,
# or the load fails.
# not: mold it gives libraries no base
# timeout: 400
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
build_driver

flag=$BASE_FLAG$BASE

cat >table.c <<'END_C'
#include <math.h>
#include "feature.h"
/* keyed by addresses of its own, of libc's and of the heap; sorted by an address mixed up */
struct entry { const void *key; struct entry *next; long value; } *table[64], *order[40];
static unsigned hash(const void *p)
{
  return (unsigned)(((uintptr_t)p * 0x9e3779b97f4a7c15u) >> 58);
}
static void put(const void *key, long value)
{
  struct entry *e = malloc(sizeof *e);
  *e = (struct entry){key, table[hash(key)], value};
  table[hash(key)] = e;
}
static long get(const void *key)
{
  for (struct entry *e = table[hash(key)]; e; e = e->next)
    if (e->key == key)
      return e->value;
  return -1;
}
static char names[20];
static char *blocks[20];
static int calls;
static double (*root)(double) = sqrt;
static uintptr_t mixed;
static int by_hash(const void *a, const void *b)
{
  const struct entry *const *x = a, *const *y = b;
  return hash((*x)->key) < hash((*y)->key) ? -1 : hash((*x)->key) > hash((*y)->key);
}
__attribute__((constructor)) static void construct(void) { calls += 5; }
int urf_init(void)
{
  int n = 0;
  for (int i = 0; i < 20; i++) {
    put(&names[i], i);
    put(blocks[i] = malloc(100), 100 + i);
  }
  for (int i = 0; i < 64; i++)
    for (struct entry *e = table[i]; e; e = e->next)
      order[n++] = e;
  qsort(order, 40, sizeof *order, by_hash);
  mixed = (uintptr_t)blocks[3] * 7;
  calls++;
  return n != 40;
}
void answer(FILE *out)
{
  int sorted = 1;
  for (int i = 1; i < 40; i++)
    sorted &= hash(order[i - 1]->key) <= hash(order[i]->key);
  for (int i = 0; i < 20; i++)
    fprintf(out, "%ld %ld ", get(&names[i]), get(blocks[i]));
  fprintf(out, "%d %d %d %d\n", sorted, calls, root(16) == 4, mixed == (uintptr_t)blocks[3] * 7);
}
void mutate(FILE *out)
{
  fprintf(out, "%d\n", calls++);
  put(malloc(5), 5);
  free(blocks[0]);
  blocks[0] = realloc(blocks[1], 1000);
  put(blocks[0], 100);
  blocks[1] = malloc(10);
  put(blocks[1], 101);
}
END_C
build_plain table-a.so table.c -- -lm
build_lib table-b.so table.c -- -lm $flag
build_lib nowhere.so table.c -- -lm
run "$DRIVER" ./table-a.so >want.txt

expect_refusal 1 order+0 "$TURF" freeze table-b.so -o "$OUT"
expect_refusal 1 'Ttext-segment' "$TURF" freeze nowhere.so -o "$OUT" --fixed
freeze table-b.so table-c.so --fixed
freeze table-b.so again.so --fixed
cmp table-c.so again.so || fail "two freezes differ"
run "$TURF" verify table-c.so
run "$TURF" info table-c.so >info.txt
grep -q '^base  *the preferred one only' info.txt || fail "info: $(cat info.txt)"

for options in -n -t -F; do
  run "$DRIVER" $options ./table-a.so >want.txt
  run "$DRIVER" $options -f ./table-c.so >out.txt 2>at.txt
  same want.txt out.txt "frozen it answers otherwise"
  ! grep '^base' at.txt | grep -v $BASE || fail "loaded elsewhere"
done
for _ in 1 2 3 4; do
  run "$DRIVER" ./table-a.so >want.txt
  run env URF_DEBUG=1 "$DRIVER" -f -o $BASE ./table-c.so >out.txt 2>at.txt
  same want.txt out.txt "where its base is taken it answers otherwise"
  grep -q 'so init is run: .*another address' at.txt || fail "it does not say that init is run: $(cat at.txt)"
done

# with a message instead of init
freeze table-b.so table-d.so --fixed --fallback fail
run "$DRIVER" -f ./table-d.so >out.txt
status=0
"$DRIVER" -f -o $BASE ./table-d.so >out.txt 2>err.txt || status=$?
[ $status -eq 127 ] || fail "it was loaded where it cannot be used: $status"
[ "$(grep -c '^urf: .*table-d.so: .*another address' err.txt)" -eq 1 ] || fail "$(cat err.txt)"

# init that fails there
cat >fails.c <<'END_C'
#include "feature.h"
int urf_init(void) { return getenv("FAIL") != 0; }
void answer(FILE *out) { fputs("fine\n", out); }
END_C
build_lib fails-b.so fails.c -- $flag
freeze fails-b.so fails-c.so --fixed
run "$DRIVER" -f -o $BASE ./fails-c.so >out.txt
status=0
FAIL=1 "$DRIVER" -f -o $BASE ./fails-c.so >out.txt 2>err.txt || status=$?
[ $status -eq 127 ] || fail "loaded although its init failed: $status"
grep -q '^urf: .*its init failed' err.txt || fail "$(cat err.txt)"

# init that waits for the dynamic linker, which waits for the end of the load
if [ $LIBC = glibc ]; then
  cat >waits.c <<'END_C'
#include <dlfcn.h>
#include <pthread.h>
#include "feature.h"
static void *load(void *unused) { return dlopen("libm.so.6", RTLD_NOW) ? unused : unused; }
int urf_init(void)
{
  pthread_t id;
  return pthread_create(&id, 0, load, 0) || pthread_join(id, 0);
}
END_C
  build_lib waits.so waits.c -- -Wl,--no-as-needed -lm
  expect_refusal 1 'fallback fail' "$TURF" freeze waits.so -o "$OUT" --time-limit 5
  freeze waits.so waits-c.so --fallback fail
fi

# .bss in a segment of its own: the last page of .data is filled up with what stands behind it in the file
echo 'static char room[100] __attribute__((aligned(1 << 21)));
int urf_init(void) { room[3] = 4; return 0; }' >room.c
build_lib room-b.so room.c -- $flag -g
freeze room-b.so room-c.so --fixed -q
run "$TURF" verify -q room-c.so
freeze room-b.so room-c.so -q
run "$TURF" verify -q room-c.so
