/* Whether two processes in which init has run hold the same, wherever the blocks of their heaps lie.  One block
 * more, which may be gone in the end, and all that follow are elsewhere: what a program can reach is held against
 * each other by the pointers that lead there, and a block stands for one other.  That a number looks like a
 * pointer to the same byte of another block does not happen by chance. */

#include <stdlib.h>
#include <string.h>

#include "work.h"

struct side {
  const struct capture *c;
  size_t *partner; /* per block of it, the other's number + 1; 0 for none */
};

struct walk {
  struct side a, b;
  const struct mask *mask; /* of a */
  LIST(size_t) queue;      /* blocks of a whose contents are to be compared */
  uint64_t data;           /* link-time start of the region */
  void (*found)(void *, size_t);
  void *closure;
};

/* The block with that run-time address in it, SIZE_MAX for none. */
static size_t block_of(const struct side *s, uint64_t address)
{
  const uint64_t at = address - s->c->bias;
  const size_t i = COUNT_BELOW(&s->c->blocks, start, at + 1);
  if (!i || !s->c->blocks.at[i - 1].used)
    return SIZE_MAX;
  return at - s->c->blocks.at[i - 1].start < s->c->blocks.at[i - 1].size ? i - 1 : SIZE_MAX;
}

/* Whether one may stand for the other, which it does from then on. */
static bool pair(struct walk *w, size_t in_a, size_t in_b)
{
  if (!w->a.partner[in_a] && !w->b.partner[in_b]) {
    w->a.partner[in_a] = in_b + 1;
    w->b.partner[in_b] = in_a + 1;
    *PUSH(&w->queue) = in_a;
  }
  return w->a.partner[in_a] == in_b + 1;
}

/* Whether both lead to the same byte of blocks that stand for each other; *either: both lead into some. */
static bool leads_alike(struct walk *w, uint64_t in_a, uint64_t in_b, bool *either)
{
  const size_t a = block_of(&w->a, in_a), b = block_of(&w->b, in_b);
  *either = a != SIZE_MAX && b != SIZE_MAX;
  return *either &&
         in_a - w->a.c->bias - w->a.c->blocks.at[a].start ==
             in_b - w->b.c->bias - w->b.c->blocks.at[b].start &&
         pair(w, a, b);
}

/* A word that leads to no block is the same when its bytes are.  Where a block ends there may be another one, or
 * none. */
static bool is_alike(struct walk *w, uint64_t in_a, uint64_t in_b)
{
  bool lead, end;
  return leads_alike(w, in_a, in_b, &lead) || (!lead && in_a == in_b) ||
         leads_alike(w, in_a - 1, in_b - 1, &end);
}

static bool is_masked(const struct mask *m, size_t at)
{
  const size_t i = COUNT_BELOW(&m->list, offset, at + 1);
  return i && at - m->list.at[i - 1].offset < m->list.at[i - 1].size;
}

/* n bytes, but for those that are masked; *masked: some are. */
static bool are_same(const struct walk *w, size_t in_a, size_t in_b, size_t n, bool *masked)
{
  size_t same = 0;
  *masked = false;
  for (size_t i = 0; i < n; i++) {
    const bool is = is_masked(w->mask, in_a + i);
    *masked |= is;
    same += is || region_byte(&w->a.c->region, in_a + i) == region_byte(&w->b.c->region, in_b + i);
  }
  return same == n;
}

/* A word at those offsets in the two regions, or n bytes that are less. */
static void compare_word(struct walk *w, size_t in_a, size_t in_b, size_t n)
{
  const bool whole = n == w->a.c->lib->form.word;
  bool masked;
  if (whole && is_alike(w, region_word(&w->a.c->region, in_a), region_word(&w->b.c->region, in_b)))
    return;
  if (!are_same(w, in_a, in_b, n, &masked) || (whole && !masked))
    w->found(w->closure, in_a);
}

static void compare(struct walk *w, size_t in_a, size_t in_b, size_t n)
{
  const unsigned word = w->a.c->lib->form.word;
  for (size_t i = 0; i < n; i += word)
    compare_word(w, in_a + i, in_b + i, n - i < word ? n - i : word);
}

static void follow(struct walk *w)
{
  while (w->queue.n) {
    const size_t i = w->queue.at[--w->queue.n];
    const struct block *a = &w->a.c->blocks.at[i];
    const struct block *b = &w->b.c->blocks.at[w->a.partner[i] - 1];
    if (a->size != b->size)
      w->found(w->closure, a->start - w->data);
    compare(w, a->start - w->data, b->start - w->data, a->size < b->size ? a->size : b->size);
  }
}

/* What no plain pointer leads to is held against what has its place. */
static void follow_rest(struct walk *w)
{
  for (size_t i = 0; i < w->a.c->blocks.n; i++) {
    const struct block *a = &w->a.c->blocks.at[i];
    const size_t b = block_of(&w->b, a->start + w->b.c->bias);
    if (a->used && !w->a.partner[i] && b != SIZE_MAX && w->b.c->blocks.at[b].start == a->start &&
        pair(w, i, b))
      follow(w);
  }
}

static void side_init(struct side *s, const struct capture *c)
{
  *s = (struct side){c, xalloc((c->blocks.n + 1) * sizeof *s->partner)};
  memset(s->partner, 0, (c->blocks.n + 1) * sizeof *s->partner);
}

void alike(const struct capture *a, const struct capture *b, const struct mask *mask,
           void (*found)(void *, size_t), void *closure)
{
  const struct urf_note *note = &a->lib->note;
  struct walk w = {.mask = mask, .data = note->data, .found = found, .closure = closure};
  side_init(&w.a, a);
  side_init(&w.b, b);
  compare(&w, 0, 0, note->heap - note->data);
  follow(&w);
  follow_rest(&w);
  free(w.a.partner);
  free(w.b.partner);
  free(w.queue.at);
}
