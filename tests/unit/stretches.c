// Each written page is in one stretch, and the rule is the one that capture/stretches.c says.
// with: capture/stretches.c capture/util.c
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "turf.h"
#include "unit.h"

enum { PAGES = 4096 };

static unsigned char written[PAGES];
static struct stretches found;

void freeze_cleanup(void) {}

static void find_units(size_t n, size_t unit, size_t skew)
{
  free(found.list.at);
  found = (struct stretches){0};
  stretches_find(&found, written, n, unit, skew);
}

static void find(size_t n)
{
  find_units(n, 1, 0);
}

/* Every step-th of n pages is written, from that page on; nothing else is. */
static void only(size_t from, size_t n, size_t step)
{
  memset(written, 0, sizeof written);
  for (size_t i = from; i < from + n; i += step)
    written[i] = 1;
}

static bool is(size_t i, size_t page, size_t n, enum urf_way way)
{
  const struct stretch *s = &found.list.at[i];
  return i < found.list.n && s->page == page && s->n == n && s->way == way;
}

/* Two dense parts with so many thin windows between them. */
static void bridge(size_t windows)
{
  only(0, 1024, 1);
  memset(written + 512, 0, windows * 64);
  written[512 + 10] = 1;
  find(1024);
}

static void test_rule(void)
{
  only(0, 0, 1);
  find(PAGES);
  MUST(found.list.n == 0);
  only(7, 31, 1);
  find(PAGES);
  MUST(found.list.n == 1 && is(0, 7, 31, URF_TOUCH));
  only(7, 32, 1);
  find(PAGES);
  MUST(found.list.n == 1 && is(0, 7, 32, URF_POPULATE));
  only(64, 255, 1);
  find(PAGES);
  MUST(found.list.n == 1 && is(0, 64, 255, URF_POPULATE));
  only(64, 256, 2);
  find(PAGES);
  MUST(found.list.n == 1 && is(0, 64, 255, URF_TOUCH));
  only(64, 257, 2);
  find(64 + 257);
  MUST(found.list.n == 1 && is(0, 64, 257, URF_COPY));
  only(0, PAGES, 3);
  find(PAGES);
  MUST(found.list.n == 1 && is(0, 0, PAGES, URF_TOUCH));
  bridge(0);
  MUST(found.list.n == 1 && is(0, 0, 1024, URF_COPY));
  bridge(1);
  MUST(found.list.n == 1 && is(0, 0, 1024, URF_COPY));
  bridge(2);
  MUST(found.list.n == 3 && is(0, 0, 512, URF_COPY) && is(1, 522, 1, URF_TOUCH) &&
       is(2, 640, 384, URF_COPY));
}

/* Copied are whole pages of the kernel's, where those are larger: they take the place of what is there. */
static void test_units(void)
{
  only(5, 400, 1);
  find_units(PAGES, 16, 0);
  MUST(found.list.n == 3 && is(0, 5, 11, URF_TOUCH) && is(1, 16, 368, URF_COPY) &&
       is(2, 384, 21, URF_TOUCH));
  find_units(PAGES, 16, 11);
  MUST(found.list.n == 2 && is(0, 5, 368, URF_COPY) && is(1, 373, 32, URF_POPULATE));
  only(5, 260, 1);
  find_units(PAGES, 16, 0);
  MUST(found.list.n == 1 && is(0, 5, 260, URF_POPULATE));
}

/* In order, apart, from one written page to another, and none is left out. */
static void test_any(void)
{
  const size_t n = 1 + draw(PAGES);
  size_t at = 0;
  for (size_t i = 0, chance = 0; i < n; i++) {
    if (draw(60) == 0)
      chance = draw(3) ? draw(101) : draw(2) * 100;
    written[i] = draw(100) < chance;
  }
  find(n);
  for (size_t i = 0; i < found.list.n; i++) {
    const struct stretch *s = &found.list.at[i];
    MUST(s->page >= at && s->n > 0 && s->page + s->n <= n);
    for (; at < s->page; at++)
      MUST(!written[at]);
    at += s->n;
    MUST(written[s->page] && written[at - 1]);
    MUST(s->way != URF_COPY || s->n >= 256);
    MUST(s->way != URF_POPULATE || (s->n >= 32 && !memchr(written + s->page, 0, s->n)));
  }
  for (; at < n; at++)
    MUST(!written[at]);
}

int main(void)
{
  test_rule();
  test_units();
  for (int round = 0; round < 1000; round++)
    test_any();
  free(found.list.at);
  return 0;
}
