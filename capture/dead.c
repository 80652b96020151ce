/* Words that lead to what is dead in the live process as well: a frame that init has left, the stack of a
 * thread that has ended, a mapping that has been given back.
 *
 * An address where nothing is could be any number at all.  So only what is known to have been there
 * counts, from the mappings that the process asked for: the word leads to the same place of one in every
 * run, wherever that was, and in no run is anything there at the end. */

#include <string.h>

#include "classify.h"

static const struct made *made_at(const struct capture *c, uint64_t address)
{
  for (size_t i = c->made.n; i-- > 0;) /* the last one, when several came to lie there */
    if (address - c->made.at[i].lo < c->made.at[i].size)
      return &c->made.at[i];
  return NULL;
}

static bool leads_to_frames(const struct context *x, size_t start)
{
  for (size_t r = 0; r < x->n; r++) {
    uint64_t v = value_in(x, r, start);
    const struct mapping *m = mapping_of(&x->runs[r], v);
    if (!m || strcmp(m->what, "[stack]") != 0 || v >= x->runs[r].frame)
      return false;
  }
  return true;
}

/* libc keeps such a stack for the next thread; all threads have ended. */
static bool leads_to_stacks(const struct context *x, size_t start)
{
  for (size_t r = 0; r < x->n; r++) {
    const struct made *made = made_at(&x->runs[r], value_in(x, r, start));
    if (!made || !made->for_stack || !made->stack)
      return false;
  }
  return true;
}

static bool leads_to_mapping(const struct context *x, size_t start)
{
  uint64_t lo[MAX_RUNS] = {0};
  for (size_t r = 0; r < x->n; r++) {
    const uint64_t v = value_in(x, r, start);
    const struct made *made = made_at(&x->runs[r], v);
    if (!made || mapping_of(&x->runs[r], v))
      return false;
    lo[r] = made->lo;
    if (v - lo[r] != value_in(x, 0, start) - lo[0])
      return false;
  }
  return lowest_difference(lo, x->n) < x->word; /* they have been displaced */
}

static bool leads_to(const struct context *x, size_t start, enum dead kind)
{
  return kind == DEAD_FRAME   ? leads_to_frames(x, start)
         : kind == DEAD_STACK ? leads_to_stacks(x, start)
                              : leads_to_mapping(x, start);
}

static bool is_dead_at(struct context *x, size_t start)
{
  if (!is_free(x, start, x->word))
    return false;
  for (enum dead kind = 0; kind < DEAD_KINDS; kind++) {
    if (!leads_to(x, start, kind))
      continue;
    add_site(x, (struct site){.offset = start, .size = x->word, .kind = SITE_DEAD, .dead = kind});
    put_word(x->plan->image + start, x->form, URF_DEAD);
    return true;
  }
  return false;
}

/* A word at no aligned address can start at the byte before only, in which the addresses of pages do not
 * differ, or, for one in the stack, where those of the frames differ first. */
bool is_dead(struct context *x, size_t d)
{
  uint64_t frame[MAX_RUNS];
  for (size_t r = 0; r < x->n; r++)
    frame[r] = x->runs[r].frame;
  size_t start;
  return is_dead_at(x, d - d % x->word) ||
         (word_of(x, d, lowest_difference(frame, x->n), &start) && is_dead_at(x, start)) ||
         (word_of(x, d, 1, &start) && is_dead_at(x, start));
}
