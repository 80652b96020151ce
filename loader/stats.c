/* What the load of a frozen library cost. */

#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "loader.h"
#include "machine.h"
#include "urf.h"

#define S (&__urf_state)
#define NOTE (&__urf_note)

enum { WINDOW = 8 * 4096 }; /* pages that are looked at in one go */

/* Which of WINDOW pages from first on have been written. */
struct pages {
  uintptr_t first;
  uint64_t n;
  unsigned char written[WINDOW / 8];
};

/* The kernel itself is asked: before the image is relocated a libc function may be the library's own. */
uint64_t stats_clock(int clock)
{
  long t[2] = {0, 0}; /* the kernel's, whatever libc calls a time */
  (void)machine_syscall6(URF_SYS_CLOCK_GETTIME, clock, (long)t, 0, 0, 0, 0);
  return (uint64_t)t[0] * 1000000000u + (uint64_t)t[1];
}

static void mark_page(struct pages *p, uintptr_t address)
{
  const uintptr_t page = (address - p->first) / HEAP_PAGE;
  if (address < p->first || page >= WINDOW || p->written[page / 8] >> page % 8 & 1)
    return;
  p->written[page / 8] |= (unsigned char)(1u << page % 8);
  p->n++;
}

static void mark(struct pages *p, const volatile void *at, size_t size)
{
  mark_page(p, (uintptr_t)at);
  mark_page(p, (uintptr_t)at + size - 1);
}

static void mark_words(struct pages *p, const struct image *image)
{
  const uintptr_t *relr = (const void *)(image->table + NOTE->relr), *end;
  const char *where = 0;
  for (end = relr + NOTE->relr_size / sizeof *relr; relr < end; relr++) {
    if (!(*relr & 1)) {
      where = (const char *)(*relr + image->bias);
      mark(p, where, sizeof *relr);
      where += sizeof *relr;
      continue;
    }
    const char *word = where;
    for (uintptr_t bits = *relr; bits >>= 1; word += sizeof *relr)
      if (bits & 1)
        mark(p, word, sizeof *relr);
    where += (8 * sizeof *relr - 1) * sizeof *relr;
  }
}

/* pairs: a number that is not about the place follows each distance. */
static void mark_list(struct pages *p, const struct image *image, uint64_t list, uint64_t size,
                      int pairs)
{
  const unsigned char *at = (const unsigned char *)image->table + list, *end = at + size;
  uintptr_t place = image->region;
  while (at < end) {
    place += get_uleb(&at);
    mark(p, (void *)place, sizeof(uintptr_t));
    if (pairs)
      (void)get_uleb(&at);
  }
}

static void mark_imports(struct pages *p, const struct image *image)
{
  const struct urf_import *import = (const void *)(image->table + NOTE->imports);
  for (uint64_t i = 0; i < NOTE->n_imports; i++, import++)
    if (import->kind != URF_IMPORT_FOLLOW || follow_distance(image, import))
      mark_list(p, image, import->sites, import->sites_size, 0);
}

/* All of their pages were written. */
static void mark_copies(struct pages *p, const struct image *image)
{
  const struct urf_stretch *s = (const void *)(image->table + NOTE->stretches);
  for (unsigned copies = S->copied; copies; s++) {
    if (s->way != URF_COPY)
      continue;
    const uintptr_t lo = (uintptr_t)s->address + image->bias, hi = lo + (uintptr_t)s->size;
    const uintptr_t end = p->first + (uintptr_t)WINDOW * HEAP_PAGE;
    for (uintptr_t at = lo > p->first ? lo : p->first; at < hi && at < end; at += HEAP_PAGE)
      mark_page(p, at);
    copies--;
  }
}

static void mark_state(struct pages *p)
{
  for (const char *at = (const char *)S; at < (const char *)&S->host_brk; at += sizeof(uintptr_t))
    mark(p, at, sizeof(uintptr_t));
  for (size_t i = 0; i < KEYS; i++)
    if (S->keys[i]) {
      mark(p, &S->keys[i], sizeof S->keys[i]);
      mark(p, &S->keys_lock, sizeof S->keys_lock);
    }
}

static uint64_t count_pages(const struct image *image)
{
  uint64_t n = 0;
  for (uintptr_t at = image->region; at < image->region_end; at += (uintptr_t)WINDOW * HEAP_PAGE) {
    struct pages p;
    memset(&p, 0, sizeof p);
    p.first = at;
    if (image->bias) {
      mark_copies(&p, image);
      mark_words(&p, image);
      mark_list(&p, image, NOTE->odd, NOTE->odd_size, 0);
      mark_list(&p, image, NOTE->rotated, NOTE->rotated_size, 1);
    }
    mark_imports(&p, image);
    mark_state(&p);
    n += p.n;
  }
  return n;
}

struct urf_stats urf_stats(void)
{
  struct urf_stats stats = {0, 0, 0, 0};
  struct image image;
  if (!urf_frozen() || !S->owned)
    return stats;
  image_of(&image);
  stats.words = image.bias ? NOTE->n_pointers + NOTE->n_odd + NOTE->n_rotated : 0;
  stats.imports = NOTE->n_import_sites;
  stats.pages = count_pages(&image);
  stats.nanoseconds = S->nanoseconds;
  return stats;
}

static void count(const char *what, uint64_t n)
{
  char digits[24];
  say(what);
  say(decimal(digits, n));
}

void stats_report(void)
{
  if (!tells())
    return;
  const struct urf_stats stats = urf_stats();
  count(": frozen; bias is a multiple of 4096: ", ((uintptr_t)NOTE - (uintptr_t)NOTE->self) / 4096);
  count("; pointers relocated: ", stats.words);
  count("; imports bound: ", stats.imports);
  count("; pages written: ", stats.pages);
  count("; nanoseconds: ", stats.nanoseconds);
  say("\n");
}
