/* The in-image heap while init runs: blocks.h, and what concerns the image.
 *
 * With a layout, which an earlier run has taught, what will be left in the end has its place in front of
 * that area, and is never moved, cut or merged, nor is its place used again; what will be gone goes into
 * the area. */

#include <string.h>

#include "blocks.h"

/* In the header of a frozen block.  To glibc's free it says that the block is a mapping of its own;
 * it finds that this cannot be, and ends the process: better than a frozen block among those that
 * it hands out, when another module frees one. */
enum { NOT_YOURS = 2 };

/* A page range out of one block; ranges of a block cover it without a gap. */
struct heap_span {
  struct heap_span *next;
  void *owner;
  uintptr_t lo, hi;
  int used;
};

/* the layout */

static void stray(struct heap *h, enum urf_stray why)
{
  if (!h->layout || h->strayed)
    return;
  h->strayed = why;
  h->strayed_at = h->step;
}

/* Whether the layout has placed it. */
static int is_laid_out(const struct heap *h, const void *p)
{
  return (uintptr_t)p - h->origin < h->start - h->origin;
}

/* What the layout says about the next allocation, NULL for nothing. */
static const struct urf_step *next_step(struct heap *h)
{
  if (!h->layout || h->strayed)
    return 0;
  if (h->step < h->layout->n)
    return &h->layout->steps[h->entry];
  stray(h, URF_STRAY_MORE);
  return 0;
}

static size_t room_of(const struct urf_step *s)
{
  return s->at % URF_STEP_KINDS == URF_STEP_BLOCK ? urf_payload(s->size, WORD) : s->size;
}

static uintptr_t place_of(const struct heap *h, const struct urf_step *s)
{
  return h->origin + (s->at & ~(uint64_t)(URF_STEP_KINDS - 1));
}

/* Its place, NULL for one among those that will be gone.  What nobody could serve is no step. */
static char *place(struct heap *h, size_t align, size_t size, enum urf_step_kind kind)
{
  const struct urf_step *s = size < h->end - h->origin ? next_step(h) : 0;
  if (!s || !s->at)
    return 0;
  const uintptr_t at = place_of(h, s);
  if (s->at % URF_STEP_KINDS != kind || at % align != 0 ||
      (kind == URF_STEP_AREA ? size > s->size : size != s->size)) {
    stray(h, URF_STRAY_SIZE);
    return 0;
  }
  if (kind != URF_STEP_MAPPING)
    block_of((void *)at)->head = (room_of(s) + WORD) | NOT_YOURS;
  return (char *)at;
}

static void advance(struct heap *h)
{
  const int is_known = h->layout && !h->strayed && h->step < h->layout->n;
  h->step++;
  if (!is_known)
    return;
  const struct urf_step *s = &h->layout->steps[h->entry];
  if (s->at || ++h->gone == s->size) {
    h->entry++;
    h->gone = 0;
  }
}

/* Ends an allocation. */
static void *step(struct heap *h, void *p)
{
  if (p)
    advance(h);
  return p;
}

void heap_lay_out(struct heap *h, const struct urf_layout *layout)
{
  h->layout = layout;
  if (layout->size + HEAP_PAGE >= h->end - h->origin)
    stray(h, URF_STRAY_ROOM);
  else
    h->start = h->top = h->peak = h->origin + page_up(layout->size) + 16 - WORD;
}

/* the area */

void heap_init(struct heap *h, uintptr_t start, uintptr_t size)
{
  h->origin = start;
  /* the first payload is aligned to 16 when its header is the last word before it */
  h->start = h->top = h->peak = start + 16 - WORD;
  h->end = start + size;
  h->align = HEAP_PAGE;
}

void *heap_alloc(struct heap *h, size_t size)
{
  void *p = place(h, 16, size, URF_STEP_BLOCK);
  return step(h, p ? p : take(h, size));
}

void *heap_align(struct heap *h, size_t align, size_t size)
{
  void *p = place(h, align, size, URF_STEP_BLOCK);
  if (!p)
    p = take_aligned(h, align, size);
  if (p && align > h->align)
    h->align = align;
  return step(h, p);
}

int heap_resize(struct heap *h, void *p, size_t size)
{
  const struct urf_step *s = next_step(h);
  if (is_laid_out(h, p) || (s && s->at) ||
      !resize(h, p, size)) /* it has a place, or a new one has to be found */
    return 0;
  advance(h);
  return 1;
}

void heap_free(struct heap *h, void *p)
{
  if (is_laid_out(h, p)) {
    memset(p, 0, heap_usable(p));
    block_of(p)->head |= FREE;
  } else
    give_back(h, p);
}

size_t heap_usable(const void *p)
{
  return size_of(block_of(p));
}

static struct heap_span *new_span(struct heap *h, struct heap_span *like, uintptr_t lo,
                                  uintptr_t hi)
{
  struct heap_span *s = take(h, sizeof *s);
  if (s) {
    s->owner = like ? like->owner : (void *)lo;
    s->used = like ? like->used : 1;
    s->lo = lo;
    s->hi = hi;
  }
  return s;
}

/* Cuts s in two at an address inside it. */
static int split(struct heap *h, struct heap_span *s, uintptr_t at)
{
  struct heap_span *t = new_span(h, s, at, s->hi);
  if (!t)
    return 0;
  t->next = s->next;
  s->next = t;
  s->hi = at;
  return 1;
}

/* Out of what has been unmapped; NULL where that is too small. */
static void *map_again(struct heap *h, size_t len)
{
  for (struct heap_span *s = h->spans; s; s = s->next)
    if (!s->used && s->hi - s->lo >= len && !is_laid_out(h, (void *)s->lo)) {
      if (s->hi - s->lo > len && !split(h, s, s->lo + len))
        return 0;
      s->used = 1;
      return (void *)s->lo;
    }
  return 0;
}

static void *map_new(struct heap *h, char *p, size_t len)
{
  struct heap_span *s = new_span(h, 0, (uintptr_t)p, (uintptr_t)p + len), **at = &h->spans;
  if (!s)
    return 0;
  while (*at && (*at)->lo < s->lo)
    at = &(*at)->next;
  s->next = *at;
  *at = s;
  return p;
}

void *heap_map(struct heap *h, size_t len)
{
  if (len > MAX_PAYLOAD)
    return 0;
  len = page_up(len);
  char *p = place(h, HEAP_PAGE, len, URF_STEP_MAPPING);
  if (p)
    return step(h, map_new(h, p, len));
  void *again = map_again(h, len);
  if (again || !(p = take_aligned(h, HEAP_PAGE, len)))
    return step(h, again);
  if (!map_new(h, p, len)) {
    give_back(h, p);
    return 0;
  }
  return step(h, p);
}

/* Merges free neighbours of one block, and gives a block back that is free altogether. */
static void merge_spans(struct heap *h)
{
  for (struct heap_span **at = &h->spans, *s; (s = *at);) {
    struct heap_span *t = s->next;
    if (!s->used && t && !t->used && t->owner == s->owner) {
      s->hi = t->hi;
      s->next = t->next;
      give_back(h, t);
    } else if (!s->used && (uintptr_t)s->owner == s->lo && (!t || t->owner != s->owner)) {
      *at = t;
      if (!is_laid_out(h, s->owner))
        give_back(h, s->owner);
      give_back(h, s);
    } else
      at = &s->next;
  }
}

void heap_unmap(struct heap *h, uintptr_t start, size_t len)
{
  uintptr_t end = start + page_up(len);
  for (struct heap_span *s = h->spans; s; s = s->next) {
    if (!s->used || s->hi <= start || s->lo >= end)
      continue;
    if (s->lo < start) {
      if (!split(h, s, start))
        return;
      continue;
    }
    if (s->hi > end && !split(h, s, end))
      return;
    memset((void *)s->lo, 0, s->hi - s->lo);
    s->used = 0;
  }
  merge_spans(h);
}

/* Calls f for each block that the layout has placed, until it returns 1. */
static int each_laid_out(struct heap *h,
                         int (*f)(uintptr_t at, size_t size, enum urf_step_kind, void *), void *arg)
{
  for (uint64_t i = 0; h->layout && i < h->entry; i++) {
    const struct urf_step *s = &h->layout->steps[i];
    if (s->at && f(place_of(h, s), room_of(s), s->at % URF_STEP_KINDS, arg))
      return 1;
  }
  return 0;
}

struct range {
  uintptr_t lo, hi;
};

static int has_range(uintptr_t at, size_t size, enum urf_step_kind kind, void *arg)
{
  (void)kind;
  const struct range *r = arg;
  return r->lo >= at && r->hi <= at + size;
}

/* Whether the range lies in the payload of one used block. */
static int in_block(struct heap *h, uintptr_t start, uintptr_t end)
{
  struct range range = {start, end};
  if (is_laid_out(h, (void *)start))
    return each_laid_out(h, has_range, &range);
  uintptr_t at = h->start;
  while (at < h->top) {
    struct heap_block *b = (struct heap_block *)at;
    uintptr_t first = at + WORD;
    at = first + size_of(b);
    if (start < at)
      return start >= first && end <= at && !(b->head & FREE);
  }
  return 0;
}

int heap_remap(struct heap *h, uintptr_t start, size_t len)
{
  uintptr_t end = start + page_up(len);
  if (!in_block(h, start, end))
    return 0;
  for (struct heap_span *s = h->spans; s; s = s->next) {
    if (s->used || s->hi <= start || s->lo >= end)
      continue;
    if (s->lo < start) {
      if (!split(h, s, start))
        return 0;
      continue;
    }
    if (s->hi > end && !split(h, s, end))
      return 0;
    s->used = 1;
  }
  return 1;
}

int heap_brk(struct heap *h, uintptr_t end)
{
  if (!h->brk || end < h->brk_start)
    return 0;
  if (end < h->brk)
    memset((void *)end, 0, h->brk - end);
  else if (end - h->brk_start > heap_usable((void *)h->brk_start) &&
           (is_laid_out(h, (void *)h->brk_start) ||
            !resize(h, (void *)h->brk_start, end - h->brk_start)))
    return 0;
  h->brk = end;
  return 1;
}

static void *new_area(struct heap *h, size_t size)
{
  void *p = place(h, 16, size, URF_STEP_AREA); /* as large as it will be in the end */
  return step(h, p ? p : take(h, size));
}

void *heap_sbrk(struct heap *h, intptr_t increment)
{
  uintptr_t old = h->brk;
  if (increment < 0 && -(uintptr_t)increment > old)
    return 0;
  if (heap_brk(h, old + (uintptr_t)increment))
    return (void *)old;
  if (increment < 0)
    return 0;
  /* somebody else has moved the break: a new area, as brk(2) users must expect */
  void *area = new_area(h, (size_t)increment + HEAP_PAGE);
  if (!area)
    return 0;
  h->brk_start = (uintptr_t)area;
  h->brk = h->brk_start + (uintptr_t)increment;
  return area;
}

void heap_miss(struct heap *h, size_t align, size_t size)
{
  stray(h, URF_STRAY_ROOM);
  uintptr_t need = round_up(size) + WORD;
  if (align > 16)
    need += align + MIN_PAYLOAD + WORD;
  if (align >= HEAP_PAGE)
    need += HEAP_PAGE + sizeof(struct heap_span) + WORD + 16; /* in case it was a mapping */
  if (__builtin_add_overflow(h->missing, need, &h->missing))
    h->missing = UINTPTR_MAX;
}

/* With more room blocks come to lie otherwise, and may leave other gaps: an eighth for those. */
uintptr_t heap_missing(const struct heap *h)
{
  uintptr_t sum;
  if (!h->missing)
    return 0;
  if (__builtin_add_overflow(h->missing, h->peak - h->top, &sum) ||
      __builtin_add_overflow(sum, (sum + (h->top - h->start)) / 8, &sum))
    return UINTPTR_MAX;
  return sum;
}

struct seal {
  void (*block)(void *, uintptr_t, enum urf_block_kind);
};

static int seal_laid_out(uintptr_t at, size_t size, enum urf_step_kind kind, void *arg)
{
  const struct seal *seal = arg;
  if (kind == URF_STEP_MAPPING) /* see seal_spans */
    return 0;
  struct heap_block *b = block_of((void *)at);
  if (b->head & FREE)
    b->head = 0;
  else
    seal->block((void *)at, size, URF_BLOCK_USED);
  return 0;
}

/* The spans of a block lie side by side. */
static void seal_spans(struct heap *h, const struct seal *seal)
{
  for (struct heap_span *s = h->spans, *next; s; s = next) {
    next = s->next;
    if (s->used)
      seal->block((void *)s->lo, s->hi - s->lo, URF_BLOCK_MAPPED);
    if (is_laid_out(h, s->owner) && (!next || next->owner != s->owner))
      seal->block(s->owner, s->hi - (uintptr_t)s->owner, URF_BLOCK_USED);
    give_back(h, s);
  }
  h->spans = 0;
}

/* Returns whether any block is used. */
static int seal_area(struct heap *h, const struct seal *seal)
{
  int used = 0;
  for (uintptr_t at = h->start; at < h->top;) {
    struct heap_block *b = (struct heap_block *)at;
    size_t size = size_of(b);
    const int free = b->head & FREE;
    if (free) {
      *footer(b) = 0;
      b->next = b->prev = 0;
    }
    b->head = (b->head & ~(size_t)FLAGS) | NOT_YOURS;
    at = (uintptr_t)payload(b) + size;
    used |= !free;
    seal->block(payload(b), size, free ? URF_BLOCK_FREE : URF_BLOCK_USED);
  }
  return used;
}

void heap_seal(struct heap *h, void (*block)(void *, uintptr_t, enum urf_block_kind))
{
  struct seal seal = {block};
  seal_spans(h, &seal);
  (void)each_laid_out(h, seal_laid_out, &seal);
  if (seal_area(h, &seal))
    stray(h, URF_STRAY_LEFT);
  else if (h->layout && h->step < h->layout->n)
    stray(h, URF_STRAY_FEWER);
  if (h->layout && !h->strayed)
    h->top = h->origin + h->layout->size;
}
