#!/bin/sh
# What the lines of a policy do, and what is wrong with some.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

build_driver
# all blocks of a function's, except those that are too short; another field of theirs is still refused
cat >blocks.c <<'END'
#include "feature.h"
#include <unistd.h>
static struct node { struct node *next; long pid, also; } *nodes;
static long *small;
__attribute__((noinline)) static void *make(size_t size) { return calloc(1, size); }
int urf_init(void)
{
  for (int i = 0; i < 50; i++) {
    struct node *n = make(sizeof *n);
    *n = (struct node){nodes, getpid() * 3L, ALSO};
    nodes = n;
  }
  small = make(sizeof *small);
  return 0;
}
void answer(FILE *out)
{
  int n = 0;
  for (struct node *p = nodes; p; p = p->next)
    n += p->pid == PID;
  fprintf(out, "%d\n", n);
}
END
build_lib b.so blocks.c -- -DALSO=5 -DPID=0
"$TURF" check b.so 2>stderr && fail "what is made of process ids is accepted"
echo 'heap:make#*+8:8 zero is asked for again when it is 0' >policy
freeze b.so c.so --policy policy
run "$DRIVER" -f ./c.so >out.txt
grep -qx 50 out.txt || fail "not all were cleared: $(cat out.txt)"
echo 'heap:make#*+8:8 keep any will do' >policy
freeze b.so c.so --policy policy
run "$DRIVER" -f ./c.so >out.txt
grep -qx 0 out.txt || fail "not all were kept: $(cat out.txt)"
build_lib also.so blocks.c -- '-DALSO=getpid()*3L' -DPID=0
expect_refusal 1 "50 words" "$TURF" freeze also.so -o "$OUT" --policy policy
echo 'heap:make#*+0:8 zero nothing that differs' >policy # pointers that were set: it decides
expect_refusal 1 "50 words" "$TURF" freeze b.so -o "$OUT" --policy policy
printf 'heap:make#*+8:8 keep any will do\nheap:make#*+16:8 keep decides nothing\n' >policy
expect_refusal 1 "policy:2: heap:make#*+16:8" "$TURF" freeze b.so -o "$OUT" --policy policy

# What is kept is the state of one run as a whole: where it has a pointer, and another run has none or
# a number, that is still a pointer.
cat >slots.c <<'END2'
#include "feature.h"
enum { SLOTS = 97, THINGS = 40 };
static struct thing { int number; char filler[44]; } things[THINGS];
static union slot { struct thing *thing; size_t free; } table[SLOTS];
int urf_init(void)
{
  for (int i = 0; i < SLOTS; i++)
    table[i].free = i % 3 ? 0 : 2 * i + 1;
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
END2
build_lib b.so slots.c
expect_refusal 1 "leads to another place in the library in each run, or nowhere" \
  "$TURF" freeze b.so -o "$OUT"
echo 'table keep the library goes through all of it' >policy
freeze b.so c.so --policy policy
for _ in 1 2 3; do
  run "$DRIVER" -f ./c.so >out.txt
  grep -qx 820 out.txt || fail "a kept pointer leads elsewhere: $(cat out.txt)"
done
