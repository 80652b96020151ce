#!/bin/sh
# What a policy keeps: which words are pointers then.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
build_driver

# What is kept is the state of one run as a whole: where it has a pointer, and another run has none,
# that is still a pointer.  Where another has a number, nothing tells.
cat >slots.c <<'END'
#include "feature.h"
enum { SLOTS = 97, THINGS = 40 };
static struct thing { int number; char filler[44]; } things[THINGS];
static union slot { struct thing *thing; size_t free; } table[SLOTS];
int urf_init(void)
{
  for (int i = 0; i < SLOTS; i++)
    table[i].free = NUMBERS && !(i % 3) ? 2 * i + 1 : 0;
  for (int i = 0; i < THINGS; i++) {
    uint32_t at = (uint32_t)((uintptr_t)&things[i] >> 4) * 2654435761u % SLOTS;
    while (table[at].thing && !(table[at].free & 1))
      at = (at + 1) % SLOTS;
    table[at].thing = &things[i];
    things[i].number = i;
  }
  return 0;
}
void answer(FILE *out)
{
  int n = 0;
  for (int i = 0; i < SLOTS; i++)
    n += table[i].thing && !(table[i].free & 1) ? table[i].thing->number + 1 : 0;
  fprintf(out, "%d\n", n);
}
END
build_lib b.so slots.c -- -DNUMBERS=0
expect_refusal 1 "leads to another place in the library in each run, or nowhere" \
  "$TURF" freeze b.so -o "$OUT"
echo 'table keep the library goes through all of it' >policy
freeze b.so c.so --policy policy
for _ in 1 2 3; do
  run "$DRIVER" -f ./c.so >out.txt
  grep -qx 820 out.txt || fail "a kept pointer leads elsewhere: $(cat out.txt)"
done
build_lib b.so slots.c -- -DNUMBERS=1
expect_refusal 1 "is an address in the library in one run, and something else in another" \
  "$TURF" freeze b.so -o "$OUT" --policy policy

# such as a pointer that is no longer used, with smaller fields over a part of it
cat >stale.c <<'END'
#include "feature.h"
static union cell { union cell *stale; struct { uint8_t balance, left, right; } now; } cells[64];
static int balances;
int urf_init(void)
{
  for (int i = 0; i < 64; i++) {
    cells[i].stale = &cells[63 - i];
    cells[i].now.balance = 1, cells[i].now.left = 0, cells[i].now.right = 1;
  }
  return 0;
}
void answer(FILE *out)
{
  balances = 0;
  for (int i = 0; i < 64; i++)
    balances += cells[i].now.balance + 1000 * cells[i].now.left + 1000000 * cells[i].now.right;
  fprintf(out, "%d\n", balances);
}
END
build_lib b.so stale.c
echo 'cells keep nobody looks at it' >policy
status=0
"$TURF" freeze b.so -o c.so --policy policy || status=$?
case $status in
0)
  run "$DRIVER" -f ./c.so >out.txt
  grep -qx 64000064 out.txt || fail "not what it was: $(cat out.txt)"
  ;;
*) [ $status -eq 1 ] || fail "status $status" ;;
esac
