// The in-image heap against a model of it: whatever is handed out is zero, apart, aligned and large
// enough; whatever is free is zero after the seal; equal calls give equal layouts anywhere.
// with: loader/heap.c
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "loader.h"
#include "unit.h"

enum { SLOTS = 600, PAGE = 4096, RESERVE = 48 << 20 };

struct slot {
  unsigned char *p;
  size_t size; /* asked for, or of the mapping */
  int mapped;
};

static struct heap heap;
static unsigned char *area, *shadow; /* shadow: 1 for each byte of the area that somebody has */
static size_t n_failed;
static uint64_t layout;

static size_t some_size(void)
{
  switch (draw(10)) {
  case 0: return draw(300000);
  case 1:
  case 2: return draw(5000);
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
  check_marks(s, old < size ? old : size, m);
  if (now > old) {
    claim(s->p + old, now - old);
    all_zero(s->p + old, now - old);
    memset(s->p + old, m, now - old);
  } else {
    unclaim(s->p + now, old - now);
    if (size < now) {
      all_zero(s->p + size, now - size);
      memset(s->p + size, m, now - size);
    }
  }
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

static void see(void *p, uintptr_t size, enum urf_block_kind kind)
{
  unsigned char *block = p;
  if (kind == URF_BLOCK_MAPPED)
    return;
  MUST(block > last_block && block + size <= area + RESERVE);
  last_block = block + size - 1;
  if (kind != URF_BLOCK_FREE)
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
  MUST(heap.peak >= heap.top && heap.peak <= heap.end);
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
  MUST(!heap_align(&heap, (size_t)1 << (8 * sizeof(size_t) - 1), 1));
  MUST(!heap_align(&heap, (size_t)1 << (8 * sizeof(size_t) - 2),
                   (size_t)1 << (8 * sizeof(size_t) - 2)));
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
  MUST(!heap_sbrk(&heap, INTPTR_MIN));
  MUST(!heap_sbrk(&heap, INTPTR_MAX));
  MUST(!heap_sbrk(&heap, 64 * PAGE));
  MUST(heap_alloc(&heap, 10));
  unsigned char *q = heap_sbrk(&heap, 4 * PAGE);
  MUST(q);
  all_zero(q, 4 * PAGE);
}

/* Parts of mappings, ranges over several of them, and mapping a hole again. */
static void mappings(unsigned char *where)
{
  area = where;
  memset(&heap, 0, sizeof heap);
  heap_init(&heap, (uintptr_t)area, 256 * PAGE);
  unsigned char *p = heap_map(&heap, 10 * PAGE), *q = heap_map(&heap, 10 * PAGE);
  unsigned char *block = heap_alloc(&heap, 3 * PAGE);
  MUST(p && q && block);
  memset(p, 1, 10 * PAGE);
  memset(q, 2, 10 * PAGE);
  memset(block, 3, 3 * PAGE);
  unsigned char *low = p < q ? p : q, *high = p < q ? q : p;
  heap_unmap(&heap, (uintptr_t)low + 8 * PAGE, (size_t)(high - low) - 6 * PAGE);
  all_zero(low + 8 * PAGE, 2 * PAGE);
  all_zero(high, 2 * PAGE);
  MUST(low[8 * PAGE - 1] && high[2 * PAGE]);
  for (int i = 0; i < 3 * PAGE; i++)
    MUST(block[i] == 3);
  heap_unmap(&heap, (uintptr_t)low + 2 * PAGE, 2 * PAGE);
  MUST(heap_remap(&heap, (uintptr_t)low + PAGE, 4 * PAGE)); /* part of it is mapped */
  MUST(low[2 * PAGE - 1] && low[4 * PAGE] && !low[2 * PAGE]);
  memset(low + 2 * PAGE, 4, 2 * PAGE);
  unsigned char *other = heap_map(&heap, PAGE);
  MUST(other && (other < low || other >= low + 8 * PAGE) &&
       (other < high + 2 * PAGE || other >= high + 10 * PAGE));
  MUST(!heap_remap(&heap, (uintptr_t)low, (size_t)(high - low) + PAGE));
  MUST(!heap_remap(&heap, heap.top + PAGE, PAGE));
  heap_unmap(&heap, (uintptr_t)low, 10 * PAGE);
  heap_unmap(&heap, (uintptr_t)low, 10 * PAGE); /* nothing is there any more */
  MUST(!heap_remap(&heap, (uintptr_t)low, PAGE));
  heap_unmap(&heap, (uintptr_t)area, 256 * PAGE);
  MUST(block[0] == 3);
  heap_free(&heap, block);
  MUST(!heap.spans && heap.top - (uintptr_t)area < 64);
  all_zero(area + 64, 255 * PAGE);
}

static void clear(unsigned char *p)
{
  madvise(p, RESERVE, MADV_DONTNEED);
}

/* As many blocks as fit lie in the reserve, the rest elsewhere; returns how many that were. */
static size_t fill(uint64_t first, size_t reserve_size, size_t *enough)
{
  enum { N = 400 };
  static struct {
    unsigned char *p;
    int how;
  } b[N];
  size_t n = 0;
  memset(b, 0, sizeof b);
  clear(area);
  memset(&heap, 0, sizeof heap);
  heap_init(&heap, (uintptr_t)area, reserve_size);
  seed = first;
  for (int step_ = 0; step_ < 3000; step_++) {
    unsigned i = (unsigned)draw(N), how = (unsigned)draw(10);
    size_t size = some_size(), align = how < 8 ? 1 : (size_t)16 << draw(13);
    if (how == 9)
      align = PAGE, size = draw(10 * PAGE) + 1;
    if (b[i].p && b[i].how == 1) {
      heap_free(&heap, b[i].p);
    } else if (b[i].p) {
      heap_unmap(&heap, (uintptr_t)b[i].p, (size_t)b[i].how);
    } else {
      b[i].p = how < 8    ? heap_alloc(&heap, size)
               : how == 9 ? heap_map(&heap, size)
                          : heap_align(&heap, align, size);
      b[i].how = how == 9 ? (int)size : 1;
      if (!b[i].p) {
        heap_miss(&heap, align, size);
        n++;
      }
      continue;
    }
    b[i].p = 0;
  }
  *enough = heap.top - (uintptr_t)area + heap_missing(&heap);
  return n;
}

/* One block that comes and goes, then one request; returns whether that had room. */
static int come_and_go(size_t reserve_size, size_t align, size_t size, int mapped, size_t *enough)
{
  clear(area);
  memset(&heap, 0, sizeof heap);
  heap_init(&heap, (uintptr_t)area, reserve_size);
  void *first = heap_alloc(&heap, 8 * PAGE);
  MUST(first);
  void *p = mapped ? heap_map(&heap, size) : heap_align(&heap, align, size);
  if (!p)
    heap_miss(&heap, align, size);
  heap_free(&heap, first);
  *enough = heap.top - (uintptr_t)area + heap_missing(&heap);
  return p != 0;
}

static void one_miss(void)
{
  for (size_t align = 1; align <= 65536; align *= 4)
    for (size_t size = 1; size < 40 * PAGE; size = size * 3 + 5) {
      size_t enough, unused;
      if (!come_and_go(8 * PAGE + 32, align, size, 0, &enough))
        MUST(come_and_go(enough, align, size, 0, &unused));
      if (!come_and_go(8 * PAGE + 32, PAGE, size, 1, &enough))
        MUST(come_and_go(enough, PAGE, size, 1, &unused));
    }
}

/* What is told to be enough is it. */
static void misses(unsigned char *where)
{
  area = where;
  one_miss();
  size_t failed = 0;
  for (uint64_t i = 1; i <= 60; i++) {
    size_t small = (size_t)PAGE << i % 12, enough, unused;
    failed += fill(i, small, &enough);
    enough = (enough + PAGE - 1) & ~(size_t)(PAGE - 1);
    if (enough < RESERVE)
      MUST(fill(i, enough > small ? enough : small, &unused) == 0);
  }
  MUST(failed > 1000);
  memset(&heap, 0, sizeof heap);
  heap_init(&heap, (uintptr_t)area, 16 * PAGE);
  MUST(!heap_missing(&heap));
  heap_miss(&heap, 1, PTRDIFF_MAX / 2);
  heap_miss(&heap, 1, PTRDIFF_MAX / 2);
  heap_miss(&heap, PAGE, PTRDIFF_MAX / 2);
  MUST(heap_missing(&heap) > PTRDIFF_MAX);
}

static unsigned char *reserve(unsigned long hint)
{
  void *p = mmap((void *)hint, RESERVE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    wrong(__FILE__, __LINE__, "no memory");
  return p;
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
  clear(a);
  mappings(a);
  clear(a);
  misses(a);
  return 0;
}
