// A library with an allocator of its own under the standard names: new and delete, strdup and getline
// stay those of the process and do not get into it.
// only: glibc there is no C++ compiler for musl in Debian
// cflags: -fno-builtin
#include <stdlib.h>
#include <string.h>

#include "feature.h"

#define OWN extern "C" __attribute__((visibility("hidden")))

static char arena[1 << 16];
static size_t used;
static int taken, freed;

OWN void *malloc(size_t n)
{
  void *p = arena + used;
  used += (n + 15) / 16 * 16;
  taken++;
  return p;
}
OWN void free(void *p)
{
  if (p && ((char *)p < arena || (char *)p >= arena + sizeof arena))
    __builtin_trap();
  freed += p != nullptr;
}

static int *volatile by_new;
static char *volatile by_malloc;

int urf_init(void)
{
  by_new = new int(7);
  by_malloc = (char *)malloc(10);
  strcpy(by_malloc, "own");
  delete new long(4);
  free(malloc(5));
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %s %d %d\n", *by_new, by_malloc, taken, freed);
}

void mutate(FILE *out)
{
  int *old = by_new;
  by_new = new int(*old + 1);
  delete old;
  free(by_malloc);
  by_malloc = (char *)malloc(20);
  strcpy(by_malloc, "own again");
  fprintf(out, "%d\n", freed);
}
