/* Padding of structures, and other memory that init has never written: it holds what was on the stack
 * before, and valgrind's memcheck knows it.
 *
 * What has been computed from undefined bits is undefined to memcheck as well, though it may be a seed
 * that somebody stirred uninitialised memory into, and right because of the rest.  So what varies with
 * random numbers, the time or the like stays a finding: only garbage that leads somewhere, or that
 * varies with addresses alone, is cleared. */

#include <stdlib.h>
#include <string.h>

#include "work.h"

static bool may_be_garbage(const struct finding *f)
{
  switch (f->cause) {
  case FIND_MODULE:
  case FIND_STACK:
  case FIND_HEAP:
  case FIND_THREAD:
  case FIND_MAPPING: return true;
  case FIND_MOVES:
  case FIND_BASE:
  case FIND_VARIES: return f->varies == THING_ADDRESS;
  default: return false;
  }
}

/* All that differs of it is undefined to the last bit. */
static bool is_unwritten(const struct work *w, const struct finding *f, const unsigned char *bits)
{
  for (size_t i = f->offset; i < f->offset + f->size; i++)
    if (regions_differ(w->runs, w->n, i) && bits[i] != 0xff)
      return false;
  return true;
}

static void clear(struct plan *plan, const struct finding *f, const unsigned char *bits)
{
  for (size_t at = f->offset, end = f->offset + f->size; at < end; at++) {
    if (bits[at] != 0xff)
      continue;
    struct site s = {.offset = at, .kind = SITE_UNWRITTEN};
    while (at < end && bits[at] == 0xff)
      plan->image[at++] = 0;
    s.size = at - s.offset;
    *PUSH(&plan->sites) = s;
  }
}

static void clear_all(struct work *w, const unsigned char *bits)
{
  struct plan *plan = &w->plan;
  size_t left = 0;
  for (size_t i = 0; i < plan->findings.n; i++) {
    const struct finding f = plan->findings.at[i];
    if (may_be_garbage(&f) && is_unwritten(w, &f, bits))
      clear(plan, &f, bits);
    else
      plan->findings.at[left++] = f;
  }
  plan->findings.n = left;
  plan_sort(plan);
}

/* Whether all blocks of the run are there, at the same places; there may be more behind them, of modules
 * that valgrind has brought along. */
static bool has_blocks(const struct capture *c, const struct capture *run)
{
  bool has = c->blocks.n >= run->blocks.n && c->size >= run->size;
  for (size_t i = 0; i < run->blocks.n && has; i++)
    has = c->blocks.at[i].start == run->blocks.at[i].start &&
          c->blocks.at[i].size == run->blocks.at[i].size;
  return has;
}

static int under_memcheck(struct work *w, struct capture *c, struct error *e)
{
  const struct setting setting = {.seed = 1,
                                  .align = w->runs[0].align,
                                  .memcheck = true,
                                  .books = BOOK_BLOCKS,
                                  .layout = w->layout};
  progress(w, "init under valgrind", 0, 0);
  if (capture_take(c, w->o, &w->lib, w->lib.path, &setting, &w->runs[0].region, true, w->cache,
                   e)) {
    char *text = xprintf("%s\n  this was under valgrind, for --memcheck", e->text);
    free(e->text);
    e->text = text;
    return -1;
  }
  if (!has_blocks(c, &w->runs[0]))
    return fail(e, REFUSED,
                "%s: what init allocates under valgrind is not the same; leave --memcheck out",
                w->lib.path);
  return 0;
}

int find_unwritten(struct work *w, struct error *e)
{
  struct capture c = {0};
  size_t i = 0;
  while (i < w->plan.findings.n && !may_be_garbage(&w->plan.findings.at[i]))
    i++;
  if (!w->o->memcheck || i == w->plan.findings.n)
    return 0;
  unsigned char *bits = xalloc(w->plan.size);
  int status = under_memcheck(w, &c, e) || capture_undefined(&c, bits, w->plan.size, e) ? -1 : 0;
  if (!status)
    clear_all(w, bits);
  capture_free(&c);
  free(bits);
  return status;
}
