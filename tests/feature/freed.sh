#!/bin/sh
# What has been freed, given back or cut off is in no frozen file, and the file is the same each time.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >freed.c <<'END'
#include "feature.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef KEPT
#define free(p) (void)(p)
#endif
static char *kept[8], *dangling;
/* Only at run time is there such a word in the memory of the process. */
static void write_secret(char *at, size_t n)
{
  for (size_t i = 0; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; j++)
      at[i + j] = "TFDSFU99"[j] - 1;
}
int urf_init(void)
{
  char *p = malloc(1000);
  write_secret(p, 1000);
  kept[0] = malloc(16); /* so that it is not at the end of the heap */
  free(dangling = p);
  p = malloc(600);
  write_secret(p, 600);
  kept[1] = malloc(16);
  kept[2] = realloc(p, 5000); /* moves */
  memset(kept[2], 'm', 600);
  for (int i = 3; i < 6; i++) { /* cut off: much, little, within the same block */
    p = malloc(256);
    write_secret(p, 256);
    kept[i] = realloc(p, i == 3 ? 24 : i == 4 ? 240 : 250);
    memset(kept[i], 'c', i == 3 ? 24 : i == 4 ? 240 : 250);
    kept[1] = malloc(16);
  }
  p = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  write_secret(p, 3 * 4096);
  munmap(p + 4096, 4096);
  memset(p, 'a', 4096), memset(p + 8192, 'b', 4096);
  kept[6] = p;
  if (posix_memalign((void **)&p, 4096, 5000))
    return 1;
  write_secret(p, 5000);
  kept[7] = malloc(16);
  free(p);
  p = sbrk(8192);
  if (p != (void *)-1) { /* not with musl */
    write_secret(p, 8192);
    sbrk(-8192);
  }
  return 0;
}
void answer(FILE *out) { fprintf(out, "%d\n", kept[0] && dangling); }
END
build_lib freed.so freed.c -- -O1 -Wno-use-after-free
build_lib kept.so freed.c -- -O1 -Wno-use-after-free -DKEPT # it would be seen
freeze kept.so out.so
grep -q SECRET88 out.so || fail "what is kept is not there"
freeze freed.so out.so
! grep -q SECRET88 out.so || fail "what was freed is in the frozen file"
freeze freed.so again.so
cmp out.so again.so || fail "another time it is another file"
build_driver
run "$DRIVER" -f ./out.so
