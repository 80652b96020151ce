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

# transient: the variable starts with its initialiser, pointers and all, whatever init made of it
cat >transient.c <<'END'
#include "feature.h"
#include <unistd.h>
static int one = 1, two = 2;
int exported = 3;
static struct {
  char tag;
  int *own, *own_exported;
  int (*libc)(const char *);
  long pid;
} t = {'a', &one, &exported, puts, 7};
static struct { long pid; void *block; } b;
static struct { int state; long pid; void *block; } *elsewhere;
struct pair { char c; int *p; } __attribute__((packed)) packed = {'x', &one};
int urf_init(void)
{
  t.tag = 'b', t.own = malloc(4), t.own_exported = &two, t.libc = 0, t.pid = getpid();
  b.pid = getpid(), b.block = malloc(10);
  packed.c = (char)(getpid() | 128), packed.p = &two; /* never an x */
  elsewhere = malloc(sizeof *elsewhere);
  elsewhere->block = &t;
  return 0;
}
void answer(FILE *out)
{
  fprintf(out, "%c%d%d%d %ld %ld%d %d%d %d\n", t.tag, *t.own, *t.own_exported, t.libc == puts, t.pid,
          b.pid, b.block != 0, packed.c == 'x', *packed.p, elsewhere->block == (void *)&t);
  t.tag = 'c', t.pid = 8;
}
END
relr=
[ $LIBC = musl ] || relr=-Wl,-z,pack-relative-relocs
printf '%s transient starts anew\n' t b packed >policy
for flag in $relr -Wl,-z,norelro; do
  build_lib b.so transient.c -- $flag
  "$TURF" check b.so 2>stderr && fail "process ids are accepted"
  freeze b.so c.so --policy policy
  run "$DRIVER" -f ./c.so >out.txt
  [ "$(sed -n 2p out.txt)" = "a131 7 00 11 1" ] || fail "not as it starts: $(cat out.txt)"
  run "$TURF" verify c.so
done
printf 't+8:16 transient starts anew\nt+32:8 zero asked for\nb zero asked for\npacked+0:1 keep any\n' >policy
freeze b.so c.so --policy policy
run "$DRIVER" -f ./c.so >out.txt
[ "$(sed -n 2p out.txt)" = "b130 0 00 02 1" ] || fail "not as it starts: $(cat out.txt)"
printf 't transient starts anew\nb transient starts anew\npacked transient x\nexported transient x\n' >policy
expect_refusal 1 "policy:4: exported: init leaves it as it starts; remove the line" "$TURF" freeze b.so -o "$OUT" --policy policy

# rethaw: a hook has to be there, and to set it
cat >rethaw.c <<'END'
#include "feature.h"
#include <unistd.h>
#include <urf.h>
static long pid, nothing;
static struct node { long pid; } *node;
int urf_init(void) { pid = getpid(), node = malloc(sizeof *node), node->pid = ~pid; return 0; }
#if HOOK
static void set(void)
{
  if (!pid && !node->pid)
    pid = getpid();
  if (HOOK == 2)
    node->pid = ~pid;
}
URF_ON_THAW(set);
#endif
void answer(FILE *out) { fprintf(out, "%d\n", pid + nothing == getpid() && node->pid == ~pid); }
END
printf 'pid rethaw asked for at load\nheap:urf_init rethaw so is this\n' >policy
for hook in 0 1 2; do
  build_lib b$hook.so rethaw.c -- -DHOOK=$hook -I"$TESTS/../loader"
done
expect_refusal 1 "policy:1: pid: b0.so has no function" "$TURF" freeze b0.so -o "$OUT" --policy policy
expect_refusal 1 URF_ON_THAW "$TURF" check b0.so --policy policy
expect_refusal 4 "urf_init+" "$TURF" freeze b1.so -o "$OUT" --policy policy
grep -q "still zero" stderr || fail "the message does not say that it is still zero"
freeze b2.so c.so --policy policy
for mode in -n -t -l; do
  run "$DRIVER" $mode -f ./c.so >out.txt
  ! grep -qx 0 out.txt || fail "not set by the hook ($mode)"
done
run "$TURF" verify c.so
printf 'pid rethaw x\nheap:urf_init rethaw y\nnothing zero z\n' >policy
expect_refusal 1 "policy:3: nothing: all of it is zero in every run" "$TURF" freeze b2.so -o "$OUT" --policy policy

# refuse: what turf would accept, with the policy's own words; nothing where there is nothing
cat >secret.c <<'END'
#include "feature.h"
static char key[20];
static int *table[2] = {(int *)key, 0};
__attribute__((noinline)) static char *load_key(void) { return strdup("open sesame"); }
int urf_init(void)
{
  char *k = load_key();
  memcpy(key, k, sizeof "open sesame");
  if (FORGET) {
    memset(key, 0, sizeof key);
    memset(k, 0, 12);
    free(k);
  }
  return 0;
}
void answer(FILE *out) { fprintf(out, "%s%d\n", key, table[0] == (int *)key); }
END
cat >policy <<'END'
key refuse it opens the cave
heap:load_key#* refuse the copy does, too
table refuse nobody changes it
END
build_lib b.so secret.c -- -DFORGET=0
freeze b.so c.so
expect_refusal 1 "policy:1: it opens the cave" "$TURF" freeze b.so -o "$OUT" --policy policy
! grep -q '0x[0-9a-f]\{8\}' stderr || fail "the message shows it"
grep -q "policy:2: the copy does, too" stderr || fail "the message does not name both"
! grep -q "policy:3" stderr || fail "a table that is as it was is refused"
"$TURF" check --suggest b.so --policy policy >suggested 2>/dev/null && fail "accepted"
! grep -q '^[^#]' suggested || fail "a line that accepts what the policy refuses: $(cat suggested)"
build_lib b.so secret.c -- -DFORGET=1
freeze b.so c.so --policy policy
run "$TURF" verify c.so
