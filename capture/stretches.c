/* How the pages that the loader has to write become private ones, at the least cost.
 *
 * Measured per page of 4096 bytes, in microseconds (Linux 6.18, x86-64; bench/RESULTS.md has the run): a
 * fault for each page 1.6 to 3.5; MADV_POPULATE_WRITE 1.4 to 2.6, and no better than faults below some 32
 * pages; a copy to fresh huge pages 0.5 to 1.3, written or not.  A copy of three pages so costs as much as
 * one fault, but takes memory for all three, and five system calls.  Hence:
 *
 *   copy       windows of 64 pages at least half of which are written, side by side or with one other
 *              between them: from the first page that is written to the last one, when these are 256 (half a
 *              huge page) or more; the ends of a stretch are what costs most, so one is better than two
 *   populate   32 written pages or more without a gap
 *   touch      what is left */

#include <stdlib.h>
#include <string.h>

#include "turf.h"

enum { WINDOW = 64, COPY_AT_LEAST = 256, POPULATE_AT_LEAST = 32, NONE = 0xff };

struct pages {
  const unsigned char *written;
  unsigned char *way; /* enum urf_way, or NONE */
  size_t n;
  size_t unit, skew; /* copied are whole units, and the first page is that one of its unit */
};

static bool is_dense(const struct pages *p, size_t window)
{
  size_t n = p->n - window < WINDOW ? p->n - window : WINDOW, written = 0;
  for (size_t i = 0; i < n; i++)
    written += p->written[window + i];
  return 2 * written >= n;
}

static void choose_copies(struct pages *p)
{
  for (size_t from = 0, to; from < p->n; from = to + WINDOW) {
    to = from;
    while (to < p->n &&
           (is_dense(p, to) || (to > from && to + WINDOW < p->n && is_dense(p, to + WINDOW))))
      to += WINDOW;
    size_t first = from, end = to < p->n ? to : p->n;
    while (first < end && !p->written[first])
      first++;
    while (end > first && !p->written[end - 1])
      end--;
    first += (p->unit - (first + p->skew) % p->unit) % p->unit;
    end -= end < first ? 0 : (end + p->skew) % p->unit;
    if (end >= first + COPY_AT_LEAST)
      memset(p->way + first, URF_COPY, end - first);
  }
}

static void choose_others(struct pages *p)
{
  for (size_t from = 0, to; from < p->n; from = to + 1) {
    for (to = from; to < p->n && p->written[to] && p->way[to] != URF_COPY; to++)
      ;
    if (to > from)
      memset(p->way + from, to - from >= POPULATE_AT_LEAST ? URF_POPULATE : URF_TOUCH, to - from);
  }
}

/* Those that are touched may have others between them. */
static size_t end_of(const struct pages *p, size_t from)
{
  size_t end = from + 1;
  for (size_t at = end; at < p->n && (p->way[at] == p->way[from] || p->way[at] == NONE); at++)
    if (p->way[at] == p->way[from])
      end = at + 1;
    else if (p->way[from] != URF_TOUCH)
      break;
  return end;
}

void stretches_find(struct stretches *out, const unsigned char *written, size_t n, size_t unit,
                    size_t skew)
{
  struct pages p = {written, xalloc(n), n, unit, skew};
  memset(p.way, NONE, n);
  choose_copies(&p);
  choose_others(&p);
  for (size_t at = 0, end; at < n; at = end) {
    end = p.way[at] == NONE ? at + 1 : end_of(&p, at);
    if (p.way[at] != NONE)
      *PUSH(&out->list) = (struct stretch){at, end - at, p.way[at]};
  }
  free(p.way);
}
