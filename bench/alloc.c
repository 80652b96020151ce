/* What an allocation costs in a library: work_NAME is an int f(void) that does a few million of them.  Linked
 * without turf, and with it and frozen. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int urf_init(void);
int work_small(void), work_sizes(void), work_realloc(void), work_zeroed(void);

enum { ALIVE = 4096 };

struct ring {
  void *blocks[ALIVE];
  uint32_t random;
};

static struct ring *ring;

/* Numerical Recipes' linear congruential generator; its high bits are good enough here. */
static uint32_t next(void)
{
  ring->random = ring->random * 1664525 + 1013904223;
  return ring->random >> 8;
}

int urf_init(void)
{
  ring = calloc(1, sizeof *ring);
  return !ring;
}

static int finish(void)
{
  for (int i = 0; i < ALIVE; i++)
    free(ring->blocks[i]);
  memset(ring, 0, sizeof *ring);
  return 0;
}

/* The plain library starts without init, too. */
static void start(void)
{
  if (!ring && urf_init())
    abort();
}

/* One size, freed at once: the shortest way through the allocator. */
int work_small(void)
{
  start();
  for (int i = 0; i < 10000000; i++) {
    char *volatile p = malloc(24);

    if (!p)
      return 1;
    *p = 1;
    free(p);
  }
  return finish();
}

/* Many sizes and lifetimes. */
int work_sizes(void)
{
  start();
  for (int i = 0; i < 4000000; i++) {
    void **slot = &ring->blocks[next() % ALIVE];
    uint32_t size = next();

    free(*slot);
    *slot = malloc(size % 8 ? 16 + size % 256 : 16 + size % 4096);
    if (!*slot)
      return 1;
    *(char *)*slot = 1;
  }
  return finish();
}

/* Arrays that grow. */
int work_realloc(void)
{
  start();
  for (int i = 0; i < 150000; i++) {
    void **slot = &ring->blocks[next() % ALIVE];

    free(*slot);
    *slot = NULL;
    for (size_t size = 16; size <= 1024; size += size / 2) {
      *slot = realloc(*slot, size);
      if (!*slot)
        return 1;
      ((char *)*slot)[size - 1] = 1;
    }
  }
  return finish();
}

int work_zeroed(void)
{
  start();
  for (int i = 0; i < 4000000; i++) {
    void **slot = &ring->blocks[next() % ALIVE];

    free(*slot);
    *slot = calloc(1 + next() % 8, 16);
    if (!*slot)
      return 1;
  }
  return finish();
}
