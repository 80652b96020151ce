// A long random sequence of allocations, half of it before the freeze and half of it after.
// cflags: -fno-builtin
#include <stdalign.h>
#include <stddef.h>

#include "feature.h"

enum { SLOTS = 2000 };

static struct {
  unsigned char *p;
  size_t size;
} slots[SLOTS];
static uint32_t seed;
static unsigned char tag;

static size_t some_size(void)
{
  uint32_t r = draw(&seed);
  return r % 50 == 0 ? draw(&seed) % 60000 : r % 5 == 0 ? draw(&seed) % 2000 : draw(&seed) % 100;
}

static void verify(int i)
{
  for (size_t k = 0; k < slots[i].size; k++)
    CHECK(slots[i].p[k] == (unsigned char)(i + k));
}

static void fill(int i, size_t from)
{
  for (size_t k = from; k < slots[i].size; k++)
    slots[i].p[k] = (unsigned char)(i + k);
}

static void work(int steps)
{
  while (steps--) {
    int i = (int)(draw(&seed) % SLOTS);
    size_t size = some_size(), old = slots[i].size;
    unsigned char *p = slots[i].p;
    if (!p) {
      p = draw(&seed) % 2 ? malloc(size) : calloc(1, size);
      slots[i].p = p;
      slots[i].size = size;
      CHECK(p && (uintptr_t)p % alignof(max_align_t) == 0);
      fill(i, 0);
    } else if (draw(&seed) % 3 == 0 && size) {
      slots[i].p = realloc(p, size);
      slots[i].size = size < old ? size : old;
      verify(i);
      slots[i].size = size;
      fill(i, old < size ? old : size);
    } else {
      verify(i);
      free(p);
      slots[i].p = 0;
      slots[i].size = 0;
    }
  }
  tag++;
}

int urf_init(void)
{
  seed = 1;
  work(40000);
  return 0;
}

void answer(FILE *out)
{
  size_t live = 0, bytes = 0;
  for (int i = 0; i < SLOTS; i++) {
    live += slots[i].p != 0;
    bytes += slots[i].size;
    verify(i);
  }
  fprintf(out, "%zu blocks, %zu bytes, round %d\n", live, bytes, tag);
  tell_wrong(out);
}

void mutate(FILE *out)
{
  work(40000);
  fprintf(out, "%u\n", seed);
}
