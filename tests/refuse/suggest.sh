#!/bin/sh
# turf check --suggest prints a policy that accepts all that is found, once there are reasons in it; with it
# the library is frozen, and works.
# configs: gcc-bfd-glibc gcc-lld-glibc gcc-lld-musl
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

build_driver
cat >one.c <<'END'
#include "feature.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
extern char **environ;
static uint64_t seed; /* two of that name */
static struct node { struct node *next; uint32_t hash; unsigned char byte; struct node *odd; } __attribute__((packed)) *nodes;
static char names[64][8], *recent[8];
static uintptr_t offset;
static char **caller;
static FILE *stream;
static void *shared;
uint64_t *other_seed(void);
int urf_init(void)
{
  for (int i = 0; i < 20; i++) {
    struct node *n = malloc(sizeof *n);
    n->next = nodes, n->odd = n;
    if (getrandom(&n->hash, 5, 0) != 5)
      return 1;
    nodes = n;
  }
  for (int i = 0; i < 64; i++) {
    names[i][0] = 'x';
    recent[((uintptr_t)names[i] >> 24) * 2654435761u >> 9 & 7] = names[i];
  }
  offset = (uintptr_t)&offset - 0x100000000000;
  caller = environ - 1;
  stream = fopen("/dev/null", "r");
  shared = mmap(0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  umask(0777);
  return getrandom(&seed, 8, 0) != 8 || getrandom(other_seed(), 8, 0) != 8 || chdir("/tmp");
}
void answer(FILE *out)
{
  int n = 0;
  for (struct node *p = nodes; p; p = p->next)
    n += p->odd == p;
  for (int i = 0; i < 8; i++)
    n += recent[i] && *recent[i] != 'x';
  fprintf(out, "%d %d%d%d %d\n", n, caller != 0, stream != 0, shared != 0,
          seed && *other_seed() && seed != *other_seed());
}
void mutate(FILE *out)
{
  struct node *n = nodes;
  nodes = n->next;
  free(n);
  fprintf(out, "freed\n");
}
END
cat >two.c <<'END'
#include <stdint.h>
static uint64_t seed;
uint64_t *other_seed(void);
uint64_t *other_seed(void) { return &seed; }
END
build_lib b.so one.c two.c -- -g
status=0
"$TURF" check --suggest b.so >policy 2>stderr || status=$?
[ $status -eq 1 ] || fail "status $status"
cat policy
! grep -v '^#' policy | grep -v ' REASON$' || fail "a line without the word REASON"
for what in seed#1+0:8 seed#2+0:8 offset+0:8 caller+0:8 stream+0:8 shared+0:8 heap:urf_init#20+8: \
  recent+ process:fd process:umask process:cwd; do
  grep -qF -e "$what" policy || fail "no line for $what"
done
expect_refusal 1 "policy:$(grep -n REASON policy | head -n 1 | cut -d : -f 1)" \
  "$TURF" freeze b.so -o "$OUT" --policy policy
# which entries of a table keyed by addresses differ depends on the run: whoever accepts one accepts the table
sed 's/REASON$/a test may do that/' policy >reasoned
"$TURF" freeze b.so -o c.so --policy reasoned 2>stderr ||
  grep -q "give --runs a larger number" stderr || fail "no cure where chance has it: $(cat stderr)"
{ sed '/^recent+/d; s/REASON$/a test may do that/' policy && echo 'recent keep a test may do that'; } >reasoned
"$TURF" check --suggest b.so --policy reasoned >rest 2>stderr || fail "still refused: $(cat stderr)"
! grep -v '^#' rest || fail "more is suggested"
freeze b.so c.so --policy reasoned
run "$DRIVER" -f ./c.so >out.txt
[ "$(sort -u out.txt | grep '[0-9]' | tr '\n' ,)" = "19 000 1,20 000 1," ] || fail "$(cat out.txt)"
run "$TURF" verify c.so

# without one of the lines just that is refused again
for what in process:fd seed#2+0:8 heap:urf_init#20+8:5; do
  grep -vF -e "$what" reasoned >fewer
  "$TURF" check --suggest b.so --policy fewer >rest 2>stderr && fail "not refused without $what"
  grep -qF -e "$what" rest || fail "not suggested again: $what"
done
