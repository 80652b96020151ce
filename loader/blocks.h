/* Blocks of a growing area, for the in-image heap: a two-level segregated fit (Masmano et al., TLSF, ECRTS
 * 2004).  Part of each file that includes it, so that no more of it is there than what that needs.
 *
 * What matters is that equal sequences of calls give equal layouts, that freed memory is reused and merged,
 * and that no garbage stays behind: whatever is free is zero but for the words that link it.
 *
 * A block is a header word and its payload.  The header holds the payload's size, a multiple of 16
 * less one word, so that payloads are aligned to 16; the low bits say whether the block and the one
 * before it are free.  A free block keeps its list links in the first two words of the payload and
 * its size in the last one, where the next block finds it.  The block that ends at top is never
 * free: it goes back to the untouched memory. */
#ifndef URF_BLOCKS_H
#define URF_BLOCKS_H

#include <string.h>

#include "loader.h"

enum { FREE = 1, PREV_FREE = 2, FLAGS = 15 };
#define WORD sizeof(size_t)
#define MIN_PAYLOAD (2 * 16 - WORD)
#define MAX_PAYLOAD (PTRDIFF_MAX & ~(size_t)0xffff)

struct heap_block {
  size_t head;
  struct heap_block *next, *prev;
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
  return size > MAX_PAYLOAD ? 0 : urf_payload(size, WORD);
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

static void *take(struct heap *h, size_t size)
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

static void *take_aligned(struct heap *h, size_t align, size_t size)
{
  if (align <= 16)
    return take(h, size);
  size = round_up(size);
  if (!size || align > MAX_PAYLOAD || size > MAX_PAYLOAD - align)
    return 0;
  char *p = take(h, size + align + MIN_PAYLOAD + WORD);
  if (!p)
    return 0;
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

static int resize(struct heap *h, void *p, size_t size)
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

static void give_back(struct heap *h, void *p)
{
  struct heap_block *b = block_of(p);
  memset(p, 0, size_of(b));
  release(h, b);
}

#endif
