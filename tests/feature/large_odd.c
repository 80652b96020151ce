// Twenty megabytes of pages that have moved, but for a word or many of them: pointers to libc, with
// tags, at odd addresses and across the ends of pages; and pages that are closed.
// not: narrow an address has no bits to spare
// machines: yes
#include <sys/mman.h>

#include "feature.h"

enum { PAGE = 4096, PAGES = 5000, WORDS = PAGE / sizeof(void *) };

static char *arena, *closed, last[3] = "ab";
static char *own[4];

static char **word(int page, int i)
{
  return (char **)(void *)(arena + (size_t)page * PAGE) + i;
}

static int other(int page)
{
  return (page * 7 + 1) % PAGES;
}

/* Two words, which a pointer at an odd address takes the place of. */
static void put_odd(char *at, int by)
{
  memset(at, 0, 2 * sizeof arena);
  memcpy(at + by, &arena, sizeof arena);
}

int urf_init(void)
{
  arena = mmap(0, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  closed = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (arena == MAP_FAILED || closed == MAP_FAILED)
    return 1;
  for (int p = 0; p < PAGES; p++) {
    for (int i = 0; i < (int)WORDS; i++)
      if (p % 4 || i % 32 == 0)
        *word(p, i) = (char *)word(other(p), i);
    if (p % 8 == 1)
      *word(p, p % (int)WORDS) = (char *)(uintptr_t)free;
    if (p % 8 == 2)
      *word(p, 5) = (char *)((uintptr_t)*word(p, 5) | (uintptr_t)0xa5 << 56);
    if (p % 8 == 3)
      put_odd((char *)word(p, 9), 3);
    if (p % 8 == 4)
      put_odd((char *)word(p, -1), 3);
    if (p % 64 == 5)
      for (int i = 0; i < (int)WORDS; i += 2)
        *word(p, i) = (char *)(uintptr_t)malloc;
  }
  for (int i = 0; i < 2 * PAGE / 8; i++)
    ((char **)(void *)closed)[i] = arena + i;
  own[3] = last + 2;
  return mprotect(closed, PAGE, PROT_NONE) || mprotect(closed + PAGE, PAGE, PROT_READ);
}

void answer(FILE *out)
{
  unsigned long good = 0, bad = 0, libc = 0, odd = 0;
  for (int p = 0; p < PAGES; p++)
    for (int i = 0; i < (int)WORDS; i++) {
      char *value = *word(p, i), *moved = arena;
      if ((p % 8 == 3 && (i == 9 || i == 10 || i == (int)WORDS - 1)) || (p % 8 == 4 && i == 0)) {
        if (i == 9 || i == (int)WORDS - 1)
          memcpy(&moved, (char *)word(p, i) + 3, sizeof moved);
        odd += moved == arena;
        continue;
      }
      const int is_libc = (p % 8 == 1 && i == p % (int)WORDS);
      if (is_libc || (p % 64 == 5 && i % 2 == 0)) {
        libc += value == (char *)(is_libc ? (uintptr_t)free : (uintptr_t)malloc);
        continue;
      }
      uintptr_t wanted = p % 4 || i % 32 == 0 ? (uintptr_t)word(other(p), i) : 0;
      if (p % 8 == 2 && i == 5)
        wanted |= (uintptr_t)0xa5 << 56;
      good += (uintptr_t)value == wanted;
      bad += (uintptr_t)value != wanted;
    }
  fprintf(out, "%lu %lu %lu %lu %s %d\n", good, bad, libc, odd, own[3] - 2, closed[PAGE] == 0);
  CHECK(((char **)(void *)closed)[PAGE / 8 + 7] == arena + PAGE / 8 + 7);
  CHECK(!bad);
}

void mutate(FILE *out)
{
  CHECK(!mprotect(closed, PAGE, PROT_READ | PROT_WRITE));
  for (int i = 0; i < PAGE / 8; i++)
    CHECK(((char **)(void *)closed)[i] == arena + i);
  closed[0] = 1;
  CHECK(!munmap(arena, (size_t)PAGE * 100));
  arena += (size_t)PAGE * 100;
  fprintf(out, "%d\n", closed[0]);
  arena -= (size_t)PAGE * 100;
  CHECK(mmap(arena, (size_t)PAGE * 100, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == arena);
  memset(arena, 0, (size_t)PAGE * 100);
  CHECK(urf_init() == 0);
}
