// The in-image heap against a model of it: whatever is handed out is zero, apart, aligned and large
// enough; whatever is free is zero after the seal; equal calls give equal layouts anywhere.
// with: loader/heap.c
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "loader.h"

enum { SLOTS = 600, PAGE = 4096, RESERVE = 48 << 20 };

struct slot {
  unsigned char *p;
  size_t size;      /* asked for, or of the mapping */
  int mapped;
};

static uint64_t seed;
static struct heap heap;
static unsigned char *area, *shadow; /* shadow: 1 for each byte of the area that somebody has */
static size_t n_failed;
static uint64_t layout;

static void wrong(const char *what, int line)
{
  printf("heap.c:%d: %s\n", line, what);
  exit(1);
}
#define MUST(x) ((x) ? (void)0 : wrong(#x, __LINE__))

static size_t draw(size_t bound)
{
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (seed >> 33) % bound;
}

static size_t some_size(void)
{
  switch (draw(10)) {
  case 0: return draw(300000);
  case 1: case 2: return draw(5000);
  case 3: return (size_t)1 << draw(17);
  default: return draw(200);
  }
}

static void claim(const unsigned char *p, size_t n)
{
  size_t at = (size_t)(p - area);
  MUST(p >= area && at + n <= RESERVE);
  for (size_t i = 0; i < n; i++)
    MUST(!shadow[at + i]);
  memset(shadow + at, 1, n);
}

static void unclaim(const unsigned char *p, size_t n)
{
  memset(shadow + (p - area), 0, n);
}

static void all_zero(const unsigned char *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    MUST(!p[i]);
}

static unsigned char mark(const struct slot *s)
{
  return (unsigned char)((uintptr_t)(s->p - area) / 16 | 1);
}

static void check_marks(const struct slot *s, size_t n, unsigned char m)
{
  for (size_t i = 0; i < n; i++)
    MUST(s->p[i] == m);
}

/* What a new block must be; then it is filled. */
static void taken(struct slot *s, void *p, size_t size, size_t align)
{
  s->p = p;
  s->size = size;
  s->mapped = 0;
  if (!p) {
    n_failed++;
    return;
  }
  layout = layout * 31 + (uintptr_t)(s->p - area);
  MUST((uintptr_t)p % align == 0);
  MUST(heap_usable(p) >= size);
  claim(s->p, heap_usable(p));
  all_zero(s->p, heap_usable(p));
  memset(p, mark(s), heap_usable(p));
}

static void map(struct slot *s)
{
  size_t len = draw(20 * PAGE) + 1, pages = (len + PAGE - 1) & ~(size_t)(PAGE - 1);
  unsigned char *p = heap_map(&heap, len);
  s->p = p;
  if (!p) {
    n_failed++;
    return;
  }
  layout = layout * 31 + (uintptr_t)(p - area);
  MUST((uintptr_t)p % PAGE == 0);
  claim(p, pages);
  all_zero(p, pages);
  s->size = pages;
  s->mapped = 1;
  memset(p, mark(s), pages);
}

/* All of it, or its head, or its tail; a hole leaves two mappings, of which one goes to spare. */
static void unmap(struct slot *s, struct slot *spare)
{
  size_t pages = s->size / PAGE, from = 0, n = pages;
  unsigned char m = mark(s);
  check_marks(s, s->size, m);
  if (pages > 2 && draw(2)) {
    from = draw(pages - 1);
    n = 1 + draw(pages - from);
    if (n == pages)
      n--;
  }
  if (from && from + n < pages && spare->p)
    n = pages - from;
  heap_unmap(&heap, (uintptr_t)s->p + from * PAGE, n * PAGE);
  unclaim(s->p + from * PAGE, n * PAGE);
  all_zero(s->p + from * PAGE, n == pages ? 0 : n * PAGE);
  size_t rest = pages - from - n;
  unsigned char *tail = s->p + (from + n) * PAGE;
  if (!from)
    s->p = 0;
  s->size = from * PAGE;
  if (!rest)
    return;
  if (s->p)
    s = spare;
  s->p = tail;
  s->size = rest * PAGE;
  s->mapped = 1;
  memset(tail, mark(s), s->size);
  if (from && spare != s)
    MUST(0);
}

static void resize(struct slot *s)
{
  size_t old = heap_usable(s->p), size = draw(3) ? old + draw(200) : some_size();
  unsigned char m = mark(s);
  if (!heap_resize(&heap, s->p, size)) {
    MUST(heap_usable(s->p) == old);
    return;
  }
  size_t now = heap_usable(s->p);
  MUST(now >= size);
  check_marks(s, old < now ? old : now, m);
  if (now > old) {
    claim(s->p + old, now - old);
    all_zero(s->p + old, now - old);
    memset(s->p + old, m, now - old);
  } else
    unclaim(s->p + now, old - now);
  s->size = size;
  layout = layout * 31 + now;
}

static void drop(struct slot *s)
{
  check_marks(s, heap_usable(s->p), mark(s));
  unclaim(s->p, heap_usable(s->p));
  heap_free(&heap, s->p);
  s->p = 0;
}

static void step(struct slot *slots)
{
  struct slot *s = &slots[draw(SLOTS)];
  if (s->p && s->mapped)
    unmap(s, &slots[draw(SLOTS)]);
  else if (s->p && draw(3) == 0)
    resize(s);
  else if (s->p)
    drop(s);
  else if (draw(12) == 0)
    map(s);
  else if (draw(5) == 0) {
    size_t align = (size_t)16 << draw(13), size = some_size();
    taken(s, heap_align(&heap, align, size), size, align);
  } else {
    size_t size = some_size();
    taken(s, heap_alloc(&heap, size), size, 16);
  }
}

static unsigned char *last_block;
static size_t n_used;

static void see(void *p, uintptr_t size, int used)
{
  unsigned char *block = p;
  MUST(block > last_block && block + size <= area + RESERVE);
  last_block = block + size - 1;
  if (used)
    n_used++;
  else
    for (size_t i = 0; i < size; i++)
      MUST(!shadow[block - area + (ptrdiff_t)i]);
}

/* Runs the sequence of first on the reserve at where; returns what the layout came to. */
static uint64_t run(unsigned char *where, uint64_t first, size_t steps)
{
  static struct slot slots[SLOTS];
  area = where;
  seed = first;
  layout = 0;
  n_failed = 0;
  memset(slots, 0, sizeof slots);
  memset(&heap, 0, sizeof heap);
  memset(shadow, 0, RESERVE);
  heap_init(&heap, (uintptr_t)area, RESERVE);
  while (steps--)
    step(slots);
  all_zero((unsigned char *)heap.top, area + RESERVE - (unsigned char *)heap.top);

  size_t live = 0;
  for (int i = 0; i < SLOTS; i++)
    live += slots[i].p && !slots[i].mapped;
  last_block = area;
  n_used = 0;
  heap_seal(&heap, see);
  MUST(n_used >= live);
  for (int i = 0; i < SLOTS; i++)
    if (slots[i].p)
      check_marks(&slots[i], slots[i].mapped ? slots[i].size : heap_usable(slots[i].p),
                  mark(&slots[i]));
  /* apart from headers, which are no larger than a word, nothing that is not somebody's is left */
  size_t stray = 0;
  for (size_t i = 0; i < RESERVE; i++)
    stray += !shadow[i] && area[i];
  MUST(stray <= 8 * (n_used + 2 * SLOTS));
  return layout ^ (heap.top - (uintptr_t)area);
}

static void extremes(unsigned char *where)
{
  area = where;
  memset(&heap, 0, sizeof heap);
  heap_init(&heap, (uintptr_t)area, 16 * PAGE);
  MUST(!heap_alloc(&heap, SIZE_MAX));
  MUST(!heap_alloc(&heap, PTRDIFF_MAX));
  MUST(!heap_alloc(&heap, 16 * PAGE));
  MUST(!heap_align(&heap, PAGE, SIZE_MAX - 100));
  MUST(!heap_align(&heap, (size_t)1 << 63, 1));
  MUST(!heap_align(&heap, (size_t)1 << 62, (size_t)1 << 62));
  MUST(!heap_map(&heap, SIZE_MAX));
  MUST(!heap_map(&heap, 17 * PAGE));
  MUST(heap.top - (uintptr_t)area < 64);
  MUST(heap.align == PAGE); /* what could not be had need not be provided for */
  /* small blocks can fill the reserve, and it is whole again when they have gone */
  static void *p[16 * PAGE / 16];
  size_t n = 0;
  while ((p[n] = heap_alloc(&heap, 1)))
    n++;
  MUST(n >= 16 * PAGE / 32 - 1);
  for (size_t i = 0; i < n; i += 2)
    heap_free(&heap, p[i]);
  MUST(!heap_alloc(&heap, 100));
  for (size_t i = 1; i < n; i += 2)
    heap_free(&heap, p[i]);
  MUST(heap_alloc(&heap, 16 * PAGE - 64));
}

static void sbrk_area(unsigned char *where)
{
  area = where;
  memset(&heap, 0, sizeof heap);
  heap_init(&heap, (uintptr_t)area, 64 * PAGE);
  unsigned char *start = heap_sbrk(&heap, 0), *p = heap_sbrk(&heap, 100);
  MUST(start && p == start);
  memset(p, 1, 100);
  MUST(heap_sbrk(&heap, 10 * PAGE) == start + 100);
  all_zero(start + 100, 10 * PAGE);
  memset(start + 100, 1, 10 * PAGE);
  MUST(heap_sbrk(&heap, -10 * PAGE) == start + 100 + 10 * PAGE);
  MUST(heap_sbrk(&heap, 0) == start + 100);
  MUST(heap_sbrk(&heap, 10 * PAGE) == start + 100);
  all_zero(start + 100, 10 * PAGE);
  MUST(!heap_sbrk(&heap, -11 * PAGE));
  MUST(!heap_sbrk(&heap, 64 * PAGE));
  MUST(heap_alloc(&heap, 10));
  unsigned char *q = heap_sbrk(&heap, 4 * PAGE);
  MUST(q);
  all_zero(q, 4 * PAGE);
}

static unsigned char *reserve(unsigned long hint)
{
  void *p = mmap((void *)hint, RESERVE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    wrong("no memory", __LINE__);
  return p;
}

static void clear(unsigned char *p)
{
  madvise(p, RESERVE, MADV_DONTNEED);
}

int main(void)
{
  /* equal modulo the largest alignment in use, 64K */
  unsigned char *a = reserve(0x200000000000), *b = reserve(0x300000010000);
  shadow = reserve(0);
  for (uint64_t i = 1; i <= 8; i++) {
    uint64_t one = run(a, i, 2000 * i), two = run(b, i, 2000 * i);
    if ((uintptr_t)a % 65536 == (uintptr_t)b % 65536)
      MUST(one == two);
    MUST(n_failed == 0);
    clear(a);
    clear(b);
  }
  extremes(a);
  clear(a);
  sbrk_area(a);
  return 0;
}
