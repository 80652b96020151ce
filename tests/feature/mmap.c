// Anonymous mappings: partly unmapped, moved, grown, shrunk, discarded.
// not: emulated qemu says of any advice (madvise) that it has been taken
// cflags: -Wno-unused-parameter
#include <sys/mman.h>

#include "feature.h"

enum { PAGE = 4096 };

static char *a, *b, *c, *d, *e, *odd;

static char *map(size_t n)
{
  char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED && (uintptr_t)p % PAGE == 0 && is_zero(p, n));
  return p;
}

int urf_init(void)
{
  a = map(8 * PAGE);
  memset(a, 'a', 8 * PAGE);
  CHECK(munmap(a + 3 * PAGE, 2 * PAGE) == 0); /* a hole: pages 3 and 4 */
  CHECK(munmap(a + 7 * PAGE, PAGE) == 0);     /* the tail */

  b = map(2 * PAGE);
  strcpy(b, "b grows");
  b = mremap(b, 2 * PAGE, 20 * PAGE, MREMAP_MAYMOVE);
  CHECK(b != MAP_FAILED && is_zero(b + 2 * PAGE, 18 * PAGE));
  strcpy(b + 19 * PAGE, "to here");

  c = map(10 * PAGE);
  memset(c, 'c', 10 * PAGE);
  CHECK(mremap(c, 10 * PAGE, 4 * PAGE, 0) == c);

  d = map(100);
  strcpy(d, "a page for a hundred bytes");
  for (int i = 0; i < 40; i++) {
    char *p = map((i % 7 + 1) * PAGE);
    memset(p, i, (i % 7 + 1) * PAGE);
    CHECK(munmap(p, (i % 7 + 1) * PAGE) == 0);
  }
  /* lengths that are no multiple of the page size count as if they were */
  odd = map(100);
  odd[4000] = 'o';
  odd = mremap(odd, 100, PAGE + 1, MREMAP_MAYMOVE);
  CHECK(odd != MAP_FAILED && odd[4000] == 'o' && is_zero(odd + PAGE, PAGE));
  odd[2 * PAGE - 1] = 'd';
  CHECK(mremap(odd, 2 * PAGE, PAGE + 1, 0) == odd && odd[2 * PAGE - 1] == 'd');
  e = map(64 * PAGE);
  for (int i = 0; i < 64; i++)
    *(char **)(void *)(e + i * PAGE) = e + (i + 1) % 64 * PAGE;
  CHECK(madvise(e + 60 * PAGE, PAGE, MADV_DONTNEED) == 0 && is_zero(e + 60 * PAGE, PAGE));
  errno = 0, CHECK(mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
  CHECK(errno == EINVAL);
  return 0;
}

static int run_of(const char *p, char what, int n)
{
  while (n && *p == what)
    p++, n--;
  return !n;
}

void answer(FILE *out)
{
  int chain = 0;
  for (char *p = e; p && chain < 100; chain++)
    p = *(char **)(void *)p;
  fprintf(out, "%d %d %s %s %d %s %d\n", run_of(a, 'a', 3 * PAGE),
          run_of(a + 5 * PAGE, 'a', 2 * PAGE), b, b + 19 * PAGE, run_of(c, 'c', 4 * PAGE), d,
          chain);
  tell_wrong(out);
}

void mutate(FILE *out)
{
  /* discarded, a private anonymous page reads as zero */
  CHECK(madvise(e + 8 * PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
  CHECK(is_zero(e + 8 * PAGE, 2 * PAGE));
  CHECK(*(char **)(void *)(e + 7 * PAGE) == e + 8 * PAGE);
  CHECK(*(char **)(void *)(e + 10 * PAGE) == e + 11 * PAGE);
  *(char **)(void *)(e + 20 * PAGE + 100) = e;
  CHECK(madvise(e + 19 * PAGE, PAGE + 1, MADV_DONTNEED) == 0);
  CHECK(is_zero(e + 19 * PAGE, 2 * PAGE));
  /* MADV_DONTNEED_LOCKED, where the kernel knows it */
  CHECK(madvise(e + 30 * PAGE, PAGE, 24) != 0 || is_zero(e + 30 * PAGE, PAGE));
  CHECK(odd[4000] == 'o' && odd[2 * PAGE - 1] == 'd');
  odd = mremap(odd, PAGE + 1, 5 * PAGE, MREMAP_MAYMOVE);
  CHECK(odd != MAP_FAILED && odd[4000] == 'o' && odd[2 * PAGE - 1] == 'd');
  b = mremap(b, 20 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
  CHECK(b != MAP_FAILED && is_zero(b + 21 * PAGE, 19 * PAGE));
  memset(b + 30 * PAGE, 1, 10 * PAGE);
  CHECK(mremap(b, 40 * PAGE, 20 * PAGE, 0) == b);
  CHECK(munmap(c + PAGE, PAGE) == 0);
  CHECK(run_of(c, 'c', PAGE) && run_of(c + 2 * PAGE, 'c', 2 * PAGE));
  char *p =
      mmap(c + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(p == c + PAGE && is_zero(p, PAGE));
  memset(p, 'c', PAGE);
  CHECK(munmap(d, 100) == 0);
  d = map(3 * PAGE);
  strcpy(d, "mapped after the load");
  char *f = map(30 * PAGE);
  memset(f, 1, 30 * PAGE);
  CHECK(munmap(f, 30 * PAGE) == 0);
  fprintf(out, "%s\n", b + 19 * PAGE);
}
