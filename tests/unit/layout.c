// A heap that is run twice: with the layout that the first run has taught, the second has what is left in
// front, with pointers apart from without, and whatever is not as it was is told.
// with: loader/heap.c capture/layout.c capture/diff.c capture/order.c capture/util.c
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "turf.h"
#define get_uleb loader_get_uleb
#include "loader.h"
#include "unit.h"

enum { SLOTS = 200, OPS = 3000, PAGE = 4096, RESERVE = 32 << 20, HEAP = 0x7000, ALIGN = 1 << 14 };

struct op {
  enum { ALLOC, ALIGNED, MAP, FREE, RESIZE, UNMAP_HEAD, UNMAP_TAIL, BRK } kind;
  int slot;
  size_t size, align;
};

struct place {
  unsigned char *p;
  size_t size;
  int mapped;
};

static struct op ops[OPS + SLOTS];
static size_t n_ops;
static struct place places[SLOTS];
static unsigned char *area, *brk_area;
static size_t brk_size, n_areas;
static struct heap heap;
static LIST(struct allocation) steps;
static LIST(struct block) blocks;
static LIST(struct mapped) mapped;

void freeze_cleanup(void) {}

static size_t some_size(void)
{
  return draw(10) ? draw(400) : draw(50000);
}

/* A program: it knows nothing of addresses. */
static void generate(uint64_t first)
{
  seed = first;
  n_ops = 0;
  memset(places, 0, sizeof places);
  while (n_ops < OPS) {
    const int i = (int)draw(SLOTS);
    struct place *s = &places[i];
    struct op op = {.slot = i, .size = some_size(), .align = 16};
    if (!s->size)
      op.kind = draw(10) ? ALLOC : draw(2) ? ALIGNED : MAP;
    else if (!s->mapped)
      op.kind = draw(3) ? FREE : RESIZE;
    else if (s->size > 2 * PAGE && draw(3))
      op.kind = draw(2) ? UNMAP_HEAD : UNMAP_TAIL;
    else
      op.kind = FREE;
    if (op.kind == MAP)
      op.size = (1 + draw(9)) * PAGE;
    if (op.kind == ALIGNED)
      op.align = (size_t)16 << draw(10);
    if (op.kind == UNMAP_HEAD || op.kind == UNMAP_TAIL)
      op.size = PAGE;
    if (draw(300) == 0)
      op = (struct op){.kind = BRK, .slot = -1, .size = 1 + draw(9000)};
    else if (op.kind <= MAP) {
      op.size += !op.size;
      *s = (struct place){.size = op.size, .mapped = op.kind == MAP};
    } else if (op.kind == FREE)
      s->size = 0;
    else if (op.kind == RESIZE)
      s->size = op.size += !op.size;
    else
      s->size -= PAGE;
    ops[n_ops++] = op;
  }
}

/* Those of odd numbers hold a pointer, if they are large enough. */
static int points(int slot, size_t size)
{
  return slot % 2 && size >= sizeof(void *);
}

static void fill(int slot)
{
  const struct place *s = &places[slot];
  memset(s->p, 0x11, s->size);
  if (points(slot, s->size))
    memcpy(s->p + s->size - sizeof(void *), &area, sizeof area);
}

static void log_step(const void *p, size_t size, unsigned how)
{
  const uint32_t number = (uint32_t)steps.n;
  *PUSH(&steps) = (struct allocation){.start = (uint64_t)((const unsigned char *)p - area) + HEAP,
                                      .size = size,
                                      .how = (uint8_t)how,
                                      .number = number};
}

static void start(int slot, void *p, size_t size, size_t align, unsigned how)
{
  struct place *s = &places[slot];
  MUST(p && (uintptr_t)p % align == 0);
  *s = (struct place){p, size, how == URF_HOW_MAPPING};
  for (size_t i = 0; i < size; i++)
    MUST(!s->p[i]);
  log_step(p, size, how);
  fill(slot);
}

/* As urf_realloc does. */
static void resize(int slot, size_t size)
{
  struct place *s = &places[slot];
  const size_t old = heap_usable(s->p);
  if (heap_resize(&heap, s->p, size))
    log_step(s->p, size, 4);
  else {
    void *p = heap_alloc(&heap, size);
    MUST(p);
    log_step(p, size, 4);
    memcpy(p, s->p, old < size ? old : size);
    MUST(size > old || memcmp(p, s->p, size) == 0);
    heap_free(&heap, s->p);
    s->p = p;
  }
  MUST(heap_usable(s->p) >= size);
  s->size = size;
  memset(s->p, 0, heap_usable(s->p));
  fill(slot);
}

static void more(size_t size)
{
  unsigned char *p = heap_sbrk(&heap, (intptr_t)size);
  MUST(p);
  if (!brk_area || p != brk_area + brk_size) {
    brk_area = p;
    brk_size = 0;
    log_step(p, size, URF_HOW_AREA);
    n_areas++;
  }
  memset(p, 0x22, size);
  brk_size += size;
}

static void perform(const struct op *op)
{
  struct place *s = op->slot >= 0 ? &places[op->slot] : NULL;
  switch (op->kind) {
  case ALLOC: start(op->slot, heap_alloc(&heap, op->size), op->size, 16, 4); break;
  case ALIGNED:
    start(op->slot, heap_align(&heap, op->align, op->size), op->size, op->align,
          (unsigned)__builtin_ctzl(op->align));
    break;
  case MAP: start(op->slot, heap_map(&heap, op->size), op->size, PAGE, URF_HOW_MAPPING); break;
  case FREE:
    if (s->mapped)
      heap_unmap(&heap, (uintptr_t)s->p, s->size);
    else
      heap_free(&heap, s->p);
    s->size = 0;
    break;
  case RESIZE: resize(op->slot, op->size); break;
  case UNMAP_HEAD:
    heap_unmap(&heap, (uintptr_t)s->p, PAGE);
    s->p += PAGE;
    s->size -= PAGE;
    break;
  case UNMAP_TAIL:
    s->size -= PAGE;
    heap_unmap(&heap, (uintptr_t)s->p + s->size, PAGE);
    break;
  case BRK: more(op->size); break;
  }
}

static void see(void *p, uintptr_t size, enum urf_block_kind kind)
{
  const uint64_t at = (uint64_t)((unsigned char *)p - area) + HEAP;
  if (kind == URF_BLOCK_MAPPED)
    *PUSH(&mapped) = (struct mapped){at, at + size};
  else
    *PUSH(&blocks) = (struct block){at, size, kind != URF_BLOCK_FREE};
}

static int by_start(const void *a, const void *b)
{
  const struct block *x = a, *y = b;
  return (x->start > y->start) - (x->start < y->start);
}

/* From the first operation up to the seal. */
static void run(const struct urf_layout *layout)
{
  static unsigned char *whole;
  if (whole)
    munmap(whole, RESERVE + ALIGN);
  whole = mmap(NULL, RESERVE + ALIGN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(whole != MAP_FAILED);
  area = whole + (HEAP - (uintptr_t)whole) % ALIGN; /* as the bias of the library is a multiple */
  memset(&heap, 0, sizeof heap);
  memset(places, 0, sizeof places);
  steps.n = blocks.n = mapped.n = brk_size = n_areas = 0;
  brk_area = NULL;
  heap_init(&heap, (uintptr_t)area, RESERVE);
  if (layout)
    heap_lay_out(&heap, layout);
  for (size_t i = 0; i < n_ops; i++)
    perform(&ops[i]);
  heap_seal(&heap, see);
  sort(blocks.at, blocks.n, sizeof *blocks.at, by_start);
}

/* What turf makes of it; owned by the caller. */
static struct urf_layout *learn(struct left *left)
{
  const struct library lib = {
      .form = {8, false}, .lo = 0, .hi = HEAP + RESERVE, .note = {.data = HEAP, .heap = HEAP}};
  struct capture c = {
      .lib = &lib, .bias = (uint64_t)area - HEAP, .size = heap.top - (uintptr_t)area};
  struct bytes out = {0};
  c.region.own = area;
  c.steps = steps.n;
  memcpy(&c.allocations, &steps, sizeof steps);
  memcpy(&c.blocks, &blocks, sizeof blocks);
  memcpy(&c.mapped, &mapped, sizeof mapped);
  MUST(layout_make(&out, left, &c, NULL));
  return (struct urf_layout *)out.at;
}

static void check_contents(int slot)
{
  const struct place *s = &places[slot];
  const size_t n = points(slot, s->size) ? s->size - sizeof(void *) : s->size;
  const int last_is_left = s->mapped; /* its end may have been unmapped */
  for (size_t i = 0; i < n - (last_is_left && n ? sizeof(void *) : 0); i++)
    MUST(s->p[i] == 0x11);
}

/* All that is left, where it should be. */
static void check_left(const struct urf_layout *layout, const struct left *left)
{
  static unsigned char pages[RESERVE / PAGE];
  struct left counted = {0};
  memset(pages, 0, sizeof pages);
  MUST(heap.top == (uintptr_t)area + layout->size);
  for (int i = 0; i < SLOTS; i++) {
    const struct place *s = &places[i];
    if (!s->size)
      continue;
    counted.blocks++;
    check_contents(i);
    MUST(s->p >= area && s->p + s->size <= area + layout->size);
    MUST(s->mapped || heap_usable(s->p) >= s->size);
    for (size_t page = (size_t)(s->p - area) / PAGE;
         page <= (size_t)(s->p + s->size - 1 - area) / PAGE; page++)
      pages[page] |= s->mapped ? 4 : points(i, s->size) ? 1 : 2;
  }
  MUST(counted.blocks + n_areas == left->blocks);
  size_t both = 0; /* where those without pointers begin */
  for (size_t i = 0; i < sizeof pages; i++) {
    both += pages[i] == 3;
    MUST(pages[i] <= 4);
  }
  MUST(both <= 1);
  for (size_t i = 0; i < brk_size; i++)
    MUST(brk_area[i] == 0x22);
  MUST(!brk_size || brk_area + brk_size <= area + layout->size);
}

/* Once more, with a layout or operations that are not what they were. */
static void strays(const struct urf_layout *layout, enum urf_stray why)
{
  run(layout);
  MUST(heap.strayed == why);
  for (int i = 0; i < SLOTS; i++) /* and still all is right */
    if (places[i].size)
      check_contents(i);
}

static int some_left(int mapping)
{
  for (int i = 0; i < SLOTS; i++)
    if (places[i].size && places[i].mapped == mapping)
      return i;
  return -1;
}

/* Its bytes; number: NULL, or where that of the first step with a block is put, whose place is returned then. */
static size_t measure(const struct urf_layout *layout, uint64_t *number)
{
  size_t i = 0;
  for (uint64_t n = 0; n < layout->n; i++) {
    const struct urf_step *s = &layout->steps[i];
    if (number && s->at && s->at % URF_STEP_KINDS == URF_STEP_BLOCK) {
      *number = n;
      return i;
    }
    n += s->at ? 1 : s->size;
  }
  return sizeof *layout + i * sizeof *layout->steps;
}

static void attack(const struct urf_layout *layout)
{
  struct urf_layout *other;
  uint64_t number = 0;
  const size_t size = measure(layout, NULL), i = measure(layout, &number);
  for (int m = 0; m < 2; m++) { /* a survivor goes: its place is empty */
    const int left = some_left(m);
    if (left < 0)
      continue;
    const size_t n = places[left].size;
    ops[n_ops++] = (struct op){.kind = FREE, .slot = left};
    strays(layout, URF_STRAY_NONE);
    for (size_t k = 0; k < n; k++)
      MUST(!places[left].p[k]);
    MUST(heap.top == (uintptr_t)area + layout->size);
    n_ops--;
  }
  /* one more, and one less; of another size; what was gone is left */
  ops[n_ops++] = (struct op){.kind = BRK, .slot = -1, .size = 1 << 20};
  strays(layout, URF_STRAY_MORE);
  n_ops--;
  other = xalloc(size);
  memcpy(other, layout, size);
  other->n--;
  strays(other, URF_STRAY_MORE);
  memcpy(other, layout, size);
  other->steps[i].size++;
  strays(other, URF_STRAY_SIZE);
  MUST(heap.strayed_at == number);
  memcpy(other, layout, size);
  other->steps[i] = (struct urf_step){.size = 1};
  strays(other, URF_STRAY_LEFT);
  memcpy(other, layout, size);
  other->size = RESERVE;
  strays(other, URF_STRAY_ROOM);
  free(other);
  other = xalloc(size + sizeof *layout->steps);
  memcpy(other, layout, size);
  other->n++;
  strays(other, URF_STRAY_FEWER);
  free(other);
}

int main(void)
{
  for (uint64_t i = 1; i <= 12; i++) {
    struct left left, again;
    generate(i);
    run(NULL);
    MUST(!heap.strayed);
    struct urf_layout *layout = learn(&left);
    run(layout);
    MUST(!heap.strayed && heap.step == layout->n);
    check_left(layout, &left);
    struct urf_layout *same = learn(&again); /* where they lie does not matter */
    MUST(same->n == layout->n && same->size == layout->size &&
         measure(same, NULL) == measure(layout, NULL) &&
         memcmp(same, layout, measure(layout, NULL)) == 0);
    MUST(memcmp(&left, &again, sizeof left) == 0);
    run(layout);
    attack(layout);
    free(same);
    free(layout);
  }
  return 0;
}
