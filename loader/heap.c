/* The in-image heap: a two-level segregated fit (Masmano et al., TLSF, ECRTS 2004) over one
 * growing area.  It is used while init runs and never after, so what matters is that equal
 * sequences of calls give equal layouts, that freed memory is reused and merged, and that no
 * garbage stays behind: whatever is free is zero but for the words that link it.
 *
 * A block is a header word and its payload.  The header holds the payload's size, a multiple of 16
 * less one word, so that payloads are aligned to 16; the low bits say whether the block and the one
 * before it are free.  A free block keeps its list links in the first two words of the payload and
 * its size in the last one, where the next block finds it.  The block that ends at top is never
 * free: it goes back to the untouched memory. */

#include <string.h>

#include "loader.h"

enum { FREE = 1, PREV_FREE = 2, FLAGS = 15 };
/* In the header of a frozen block.  To glibc's free it says that the block is a mapping of its own;
 * it finds that this cannot be, and ends the process: better than a frozen block among those that
 * it hands out, when another module frees one. */
enum { NOT_YOURS = 2 };

#define WORD sizeof(size_t)
#define MIN_PAYLOAD (2 * 16 - WORD)
#define MAX_PAYLOAD (PTRDIFF_MAX & ~(size_t)0xffff)

struct heap_block {
  size_t head;
  struct heap_block *next, *prev;
};

/* A page range out of one block; ranges of a block cover it without a gap. */
struct heap_span {
  struct heap_span *next;
  void *owner;
  uintptr_t lo, hi;
  int used;
};

static size_t size_of(const struct heap_block *b)
{
  return (b->head & ~(size_t)FLAGS) - WORD;
}

static void set_size(struct heap_block *b, size_t size)
{
  b->head = (size + WORD) | (b->head & FLAGS);
}

static char *payload(struct heap_block *b)
{
  return (char *)b + WORD;
}

static struct heap_block *block_of(const void *p)
{
  return (struct heap_block *)((uintptr_t)p - WORD);
}

static struct heap_block *after(struct heap_block *b)
{
  return (struct heap_block *)(payload(b) + size_of(b));
}

static size_t *footer(struct heap_block *b)
{
  return (size_t *)after(b) - 1;
}

static int is_top(struct heap *h, struct heap_block *b)
{
  return (uintptr_t)b == h->top;
}

/* Payload for a request, or 0 when it is beyond all bounds. */
static size_t round_up(size_t size)
{
  if (size <= MIN_PAYLOAD)
    return MIN_PAYLOAD;
  if (size > MAX_PAYLOAD)
    return 0;
  return ((size + WORD + 15) & ~(size_t)15) - WORD;
}

/* The bin a free block of this payload belongs to: steps of 16 bytes, then 16 bins per doubling. */
static unsigned bin_of(size_t size)
{
  size_t units = (size + WORD) / 16;
  if (units < HEAP_SMALL)
    return (unsigned)units;
  unsigned log = 63 - (unsigned)__builtin_clzll(units);
  unsigned bin = HEAP_SMALL + (log - 5) * 16 + ((unsigned)(units >> (log - 4)) & 15);
  return bin < HEAP_BINS ? bin : HEAP_BINS - 1;
}

/* The first bin all of whose blocks are large enough. */
static unsigned bin_for(size_t size)
{
  size_t units = (size + WORD) / 16;
  if (units < HEAP_SMALL)
    return (unsigned)units;
  unsigned log = 63 - (unsigned)__builtin_clzll(units);
  units += ((size_t)1 << (log - 4)) - 1;
  return bin_of(units * 16 - WORD);
}

static void insert(struct heap *h, struct heap_block *b)
{
  unsigned bin = bin_of(size_of(b));
  b->head |= FREE;
  *footer(b) = size_of(b);
  after(b)->head |= PREV_FREE;
  b->prev = 0;
  b->next = h->bins[bin];
  if (b->next)
    b->next->prev = b;
  h->bins[bin] = b;
  h->used_bins[bin / 64] |= (uint64_t)1 << bin % 64;
}

/* Takes a block out of its list; its payload is all zero afterwards. */
static void take_out(struct heap *h, struct heap_block *b)
{
  unsigned bin = bin_of(size_of(b));
  if (b->prev)
    b->prev->next = b->next;
  else
    h->bins[bin] = b->next;
  if (b->next)
    b->next->prev = b->prev;
  if (!h->bins[bin])
    h->used_bins[bin / 64] &= ~((uint64_t)1 << bin % 64);
  b->head &= ~(size_t)FREE;
  *footer(b) = 0;
  after(b)->head &= ~(size_t)PREV_FREE;
  b->next = b->prev = 0;
}

static struct heap_block *find(struct heap *h, size_t size)
{
  unsigned bin = bin_for(size);
  uint64_t word = h->used_bins[bin / 64] >> bin % 64 << bin % 64;
  for (unsigned i = bin / 64;;) {
    if (word) {
      bin = i * 64 + (unsigned)__builtin_ctzll(word);
      break;
    }
    if (++i == sizeof h->used_bins / sizeof h->used_bins[0])
      return 0;
    word = h->used_bins[i];
  }
  struct heap_block *b = h->bins[bin];
  while (b && size_of(b) < size) /* only the last bin holds several sizes */
    b = b->next;
  return b;
}

static void grow_top(struct heap *h, size_t n)
{
  h->top += n;
  if (h->top > h->peak)
    h->peak = h->top;
}

static struct heap_block *extend(struct heap *h, size_t size)
{
  if (size + WORD > h->end - h->top)
    return 0;
  struct heap_block *b = (struct heap_block *)h->top;
  b->head = size + WORD;
  grow_top(h, size + WORD);
  return b;
}

/* Gives a zeroed block back, merged with its neighbours. */
static void release(struct heap *h, struct heap_block *b)
{
  if (b->head & PREV_FREE) {
    struct heap_block *before = (struct heap_block *)((char *)b - ((size_t *)b)[-1] - WORD);
    size_t size = size_of(b);
    take_out(h, before);
    b->head = 0;
    set_size(before, size_of(before) + WORD + size);
    b = before;
  }
  struct heap_block *next = after(b);
  if (is_top(h, next)) {
    h->top = (uintptr_t)b;
    b->head = 0;
    return;
  }
  if (next->head & FREE) {
    size_t size = size_of(next);
    take_out(h, next);
    next->head = 0;
    set_size(b, size_of(b) + WORD + size);
  }
  insert(h, b);
}

/* Cuts a used block to size; what is cut off is zero already. */
static void trim(struct heap *h, struct heap_block *b, size_t size)
{
  size_t rest = size_of(b) - size;
  if (rest < MIN_PAYLOAD + WORD)
    return;
  set_size(b, size);
  struct heap_block *tail = after(b);
  tail->head = rest;
  release(h, tail);
}

void heap_init(struct heap *h, uintptr_t start, uintptr_t size)
{
  /* the first payload is aligned to 16 when its header is the last word before it */
  h->start = h->top = h->peak = start + 16 - WORD;
  h->end = start + size;
  h->align = HEAP_PAGE;
}

void *heap_alloc(struct heap *h, size_t size)
{
  size = round_up(size);
  if (!size)
    return 0;
  struct heap_block *b = find(h, size);
  if (b) {
    take_out(h, b);
    trim(h, b, size);
  } else if (!(b = extend(h, size)))
    return 0;
  return payload(b);
}

void *heap_align(struct heap *h, size_t align, size_t size)
{
  if (align <= 16)
    return heap_alloc(h, size);
  size = round_up(size);
  if (!size || align > MAX_PAYLOAD || size > MAX_PAYLOAD - align)
    return 0;
  char *p = heap_alloc(h, size + align + MIN_PAYLOAD + WORD);
  if (!p)
    return 0;
  if (align > h->align)
    h->align = align;
  struct heap_block *b = block_of(p);
  uintptr_t at = ((uintptr_t)p + align - 1) & ~(uintptr_t)(align - 1);
  if (at != (uintptr_t)p) {
    if (at - (uintptr_t)p < MIN_PAYLOAD + WORD)
      at += align;
    struct heap_block *front = b;
    b = block_of((void *)at);
    b->head = size_of(front) + WORD - (at - (uintptr_t)p);
    set_size(front, at - (uintptr_t)p - WORD);
    release(h, front);
  }
  trim(h, b, size);
  return payload(b);
}

int heap_resize(struct heap *h, void *p, size_t size)
{
  struct heap_block *b = block_of(p);
  const size_t wanted = size;
  size = round_up(size);
  if (!size)
    return 0;
  size_t old = size_of(b);
  if (size > old) {
    struct heap_block *next = after(b);
    if (is_top(h, next)) {
      if (size - old > h->end - h->top)
        return 0;
      grow_top(h, size - old);
      set_size(b, size);
      return 1;
    }
    if (!(next->head & FREE) || old + WORD + size_of(next) < size)
      return 0;
    size_t more = size_of(next) + WORD;
    take_out(h, next);
    next->head = 0;
    set_size(b, old + more);
  } else if (old > wanted)
    memset((char *)p + wanted, 0, old - wanted);
  trim(h, b, size);
  return 1;
}

void heap_free(struct heap *h, void *p)
{
  struct heap_block *b = block_of(p);
  memset(p, 0, size_of(b));
  release(h, b);
}

size_t heap_usable(const void *p)
{
  return size_of(block_of(p));
}

static struct heap_span *new_span(struct heap *h, struct heap_span *like, uintptr_t lo,
                                  uintptr_t hi)
{
  struct heap_span *s = heap_alloc(h, sizeof *s);
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

void *heap_map(struct heap *h, size_t len)
{
  if (len > MAX_PAYLOAD)
    return 0;
  len = page_up(len);
  for (struct heap_span *s = h->spans; s; s = s->next)
    if (!s->used && s->hi - s->lo >= len) {
      if (s->hi - s->lo > len && !split(h, s, s->lo + len))
        return 0;
      s->used = 1;
      return (void *)s->lo;
    }
  char *p = heap_align(h, HEAP_PAGE, len);
  if (!p)
    return 0;
  struct heap_span *s = new_span(h, 0, (uintptr_t)p, (uintptr_t)p + len), **at = &h->spans;
  if (!s) {
    heap_free(h, p);
    return 0;
  }
  while (*at && (*at)->lo < s->lo)
    at = &(*at)->next;
  s->next = *at;
  *at = s;
  return p;
}

/* Merges free neighbours of one block, and gives a block back that is free altogether. */
static void merge_spans(struct heap *h)
{
  for (struct heap_span **at = &h->spans, *s; (s = *at);) {
    struct heap_span *t = s->next;
    if (!s->used && t && !t->used && t->owner == s->owner) {
      s->hi = t->hi;
      s->next = t->next;
      heap_free(h, t);
    } else if (!s->used && (uintptr_t)s->owner == s->lo && (!t || t->owner != s->owner)) {
      *at = t;
      heap_free(h, s->owner);
      heap_free(h, s);
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

/* Whether the range lies in the payload of one used block. */
static int in_block(struct heap *h, uintptr_t start, uintptr_t end)
{
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
           !heap_resize(h, (void *)h->brk_start, end - h->brk_start))
    return 0;
  h->brk = end;
  return 1;
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
  void *area = heap_alloc(h, (size_t)increment + HEAP_PAGE);
  if (!area)
    return 0;
  h->brk_start = (uintptr_t)area;
  h->brk = h->brk_start + (uintptr_t)increment;
  return area;
}

void heap_miss(struct heap *h, size_t align, size_t size)
{
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

void heap_seal(struct heap *h, void (*block)(void *, uintptr_t, int))
{
  for (struct heap_span *s = h->spans, *next; s; s = next) {
    next = s->next;
    heap_free(h, s);
  }
  h->spans = 0;
  for (uintptr_t at = h->start; at < h->top;) {
    struct heap_block *b = (struct heap_block *)at;
    size_t size = size_of(b);
    int free = (int)(b->head & FREE);
    if (free) {
      *footer(b) = 0;
      b->next = b->prev = 0;
    }
    b->head = (b->head & ~(size_t)FLAGS) | NOT_YOURS;
    block(payload(b), size, !free);
    at = (uintptr_t)payload(b) + size;
  }
}
