/* What the start of a frozen program cost; a member of its own in the archive. */

#include "program.h"
#include "urf.h"

#define S (&program_state)
#define NOTE (&__urf_note)

/* Of the pages with words of that list, from the first address on; the list is RELR (gABI). */
static uint64_t count_pages(const uintptr_t *relr, const uintptr_t *end)
{
  uintptr_t where = 0, last = 0;
  uint64_t n = 0;
  for (; relr < end; relr++) {
    uintptr_t bits = *relr & 1 ? *relr >> 1 : 1, at = *relr & 1 ? where : *relr;
    where = *relr & 1 ? where + (8 * sizeof bits - 1) * sizeof bits : *relr + sizeof bits;
    for (; bits; bits >>= 1, at += sizeof bits)
      if (bits & 1 && at / HEAP_PAGE != last) {
        last = at / HEAP_PAGE;
        n++;
      }
  }
  return n;
}

struct urf_stats urf_stats(void)
{
  struct urf_stats stats = {0, 0, 0, S->nanoseconds};
  const uintptr_t bias = (uintptr_t)NOTE - (uintptr_t)NOTE->self;
  const char *table = (const char *)(uintptr_t)NOTE->table + bias;
  const struct urf_stretch *s = (const void *)(table + NOTE->stretches);
  const uintptr_t *relr = (const void *)(table + NOTE->relr);
  if (!(NOTE->flags & URF_FROZEN) || !bias)
    return stats;
  stats.words = NOTE->n_pointers + NOTE->n_odd + NOTE->n_rotated;
  for (uint64_t i = 0; i < NOTE->n_stretches; i++, s++) {
    const uintptr_t *end = relr + s->relr_size / sizeof *relr;
    stats.pages += s->way == URF_TOUCH ? count_pages(relr, end) : page_up(s->size) / HEAP_PAGE;
    relr = end;
  }
  return stats;
}
