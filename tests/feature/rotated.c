// Pointers in disguise that keep all of their bits: rotated by any count, shifted without a loss.
// not: narrow an address has no bits to spare
// machines: yes
#include "feature.h"

enum { BITS = 8 * sizeof(uintptr_t) };

static char target[64][16] __attribute__((aligned(16)));
static struct {
  uintptr_t value;
  int count;
} rotated[BITS];
static uintptr_t hashed[64], pages[2];
static uintptr_t *heap;

static uintptr_t ror(const void *p, unsigned by)
{
  uintptr_t n = (uintptr_t)p;
  return by ? n >> by | n << (BITS - by) : n;
}

int urf_init(void)
{
  heap = malloc(64 * sizeof *heap);
  for (unsigned i = 0; i < BITS; i++)
    rotated[i].value = ror(target[i % 64] + i % 16, i);
  for (unsigned i = 0; i < 64; i++) {
    hashed[i] = (uintptr_t)target[i] >> 4;
    heap[i] = ror(&heap[i], 4);
  }
  pages[0] = (uintptr_t)target / 4096;   /* a page number */
  pages[1] = (uintptr_t)target << 3 | 5; /* tag bits below */
  return 0;
}

void answer(FILE *out)
{
  for (unsigned i = 0; i < BITS; i++)
    CHECK(rotated[i].value == ror(target[i % 64] + i % 16, i));
  for (unsigned i = 0; i < 64; i++) {
    CHECK(hashed[i] == (uintptr_t)target[i] >> 4);
    CHECK(heap[i] == ror(&heap[i], 4));
  }
  CHECK(pages[0] == (uintptr_t)target / 4096);
  CHECK(pages[1] == ((uintptr_t)target << 3 | 5));
  tell_wrong(out);
}
