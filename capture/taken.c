/* The memory of a captured process: the region's bytes, and the books of the heap. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

enum { PAGE = 4096, CHUNK = 64 * PAGE };

/* What the host sends per block and per allocation. */
struct record {
  uint64_t address, size, extra;
};

int capture_ask_bytes(struct capture *c, uint64_t address, uint64_t size, struct error *e)
{
  const char *line = process_ask(c->process, e, "read %" PRIx64 " %" PRIx64, address, size);
  return line && strcmp(line, "bytes") == 0 ? 0 : capture_unexpected(c->lib, line, e);
}

/* Where .bss is a segment of its own, as one that is aligned to more than a page is, the last page of .data
 * ends with whatever stands behind it in the file, such as symbols.  chunk: n bytes of the region from at
 * on. */
static void clear_gap(const struct capture *c, unsigned char *chunk, size_t at, size_t n)
{
  const size_t from = c->lib->data_size, to = c->lib->note.bss - c->lib->note.data;
  const size_t lo = from > at ? from - at : 0, hi = to > at ? to - at : 0, end = hi < n ? hi : n;
  if (lo < end)
    memset(chunk + lo, 0, end - lo);
}

/* The kernel would end some process when there is no memory: better to say so before.  What a freeze takes
 * from here on is the first run's region, the image and, with its own given back, one more host's; pages
 * that nobody has touched take none. */
static int check_room(struct capture *c, struct error *e)
{
  enum { IMAGES = 2, MORE = 100 << 20 };
  const uint64_t image = c->used < c->size ? c->used : c->size;
  const uint64_t wanted = IMAGES * image + MORE, left = memory_left();
  if (wanted <= left || image < MORE) /* it is not worth a look where others come and go */
    return 0;
  return fail(e, SYSTEM,
              "%s: its state after init has %" PRIu64 " MiB; to freeze it takes %" PRIu64
              " MiB of memory more, and there are %" PRIu64
              ": free some, or freeze it where there is more",
              c->lib->path, image >> 20, wanted >> 20, left >> 20);
}

static int region_start(struct capture *c, const struct region *first, struct error *e)
{
  const size_t room = c->lib->region_size + 2 * PAGE;
  c->used = memory_of(process_id(c->process));
  if (!first && check_room(c, e))
    return -1;
  if (c->size > room)
    return capture_unexpected(c->lib, "the heap ends behind its reserve", e);
  if (region_init(&c->region, first, room, c->lib->form))
    return fail_errno(e, c->lib->path, "no memory for a copy of its region");
  c->region.bias = c->bias;
  if (first)
    region_moved(&c->region, first->bias + c->lib->lo, c->lib->hi - c->lib->lo,
                 c->bias - first->bias);
  return 0;
}

/* What the host holds is held twice from now on, and what is behind the image by nobody else: it gives back
 * what is more than a little.  Nothing of the
 * library's runs there any more, unless a symbol of its own is found by a function of its own. */
int capture_release(struct capture *c, const struct setting *setting, struct error *e)
{
  enum { LITTLE = 4 << 20 };
  if (c->size < LITTLE || setting->memcheck || c->lib->n_ifuncs)
    return 0;
  const char *line = process_ask(c->process, e, "release %" PRIx64 " %" PRIx64,
                                 c->bias + c->lib->note.data, c->lib->region_size);
  return line && strcmp(line, "released") == 0 ? 0 : capture_unexpected(c->lib, line, e);
}

uint64_t capture_books(const struct sealed *s, const struct setting *setting)
{
  return (setting->books & BOOK_BLOCKS ? s->n_blocks * sizeof(struct record) : 0) +
         (setting->books & BOOK_ALLOCATIONS ? s->n_allocations * sizeof(struct record) : 0);
}

int capture_forget(struct capture *c, struct error *e)
{
  const char *line = process_ask(c->process, e, "forget");
  return line && strcmp(line, "forgotten") == 0 ? 0 : capture_unexpected(c->lib, line, e);
}

/* From a run-time address. */
static int take_bytes(struct capture *c, uint64_t from, unsigned char *to, size_t n,
                      struct error *e)
{
  if (process_copy(c->process, from, to, n))
    return 0;
  return capture_ask_bytes(c, from, n, e) ? -1 : process_read(c->process, to, n, e);
}

int capture_region(struct capture *c, const struct region *first, struct error *e)
{
  unsigned char *chunk = xalloc(CHUNK);
  int status = region_start(c, first, e);
  for (size_t at = 0; at < c->size && !status; at += CHUNK) {
    const size_t n = c->size - at < CHUNK ? c->size - at : CHUNK;
    status = take_bytes(c, c->bias + c->lib->note.data + at, chunk, n, e);
    if (!status) {
      process_events(c->process);
      clear_gap(c, chunk, at, n);
      region_put(&c->region, at, chunk, n);
    }
  }
  free(chunk);
  return status;
}

static int by_start(const void *a, const void *b)
{
  const struct block *x = a, *y = b;
  return (x->start > y->start) - (x->start < y->start);
}

static int by_lo(const void *a, const void *b)
{
  const struct mapped *x = a, *y = b;
  return (x->lo > y->lo) - (x->lo < y->lo);
}

static void add_block(struct capture *c, const struct record *r, void *unused)
{
  const uint64_t start = r->address - c->bias;
  (void)unused;
  if (r->extra == URF_BLOCK_MAPPED)
    *PUSH(&c->mapped) = (struct mapped){start, start + r->size};
  else
    *PUSH(&c->blocks) = (struct block){start, r->size, r->extra != URF_BLOCK_FREE};
}

static bool is_sorted(const struct capture *c)
{
  size_t i = 1;
  while (i < c->blocks.n && c->blocks.at[i - 1].start < c->blocks.at[i].start)
    i++;
  return i >= c->blocks.n;
}

/* n of them, for each of which add is called. */
static int take_records(struct capture *c, uint64_t address, uint64_t n,
                        void (*add)(struct capture *c, const struct record *r, void *arg),
                        void *arg, struct error *e)
{
  enum { AT_ONCE = CHUNK / sizeof(struct record) };
  struct record *r = xalloc(AT_ONCE * sizeof *r);
  int status = 0;
  for (uint64_t at = 0; at < n && !status; at += AT_ONCE) {
    const size_t part = n - at < AT_ONCE ? (size_t)(n - at) : AT_ONCE;
    status = take_bytes(c, address + at * sizeof *r, (unsigned char *)r, part * sizeof *r, e);
    order_turn(c->lib->form, RECORD_NUMBER, r, part * sizeof *r / sizeof r->address);
    for (size_t i = 0; i < part && !status; i++)
      add(c, &r[i], arg);
  }
  free(r);
  return status;
}

int capture_blocks(struct capture *c, const struct sealed *s, struct error *e)
{
  c->blocks.at = xalloc(s->n_blocks * sizeof *c->blocks.at);
  c->blocks.cap = s->n_blocks;
  int status = take_records(c, s->blocks, s->n_blocks, add_block, NULL, e);
  if (!is_sorted(c))
    sort(c->blocks.at, c->blocks.n, sizeof *c->blocks.at, by_start);
  sort(c->mapped.at, c->mapped.n, sizeof *c->mapped.at, by_lo);
  return status;
}

/* Most allocations are gone by the end, and nobody asks for those: only the last in each block that is used is
 * kept, and all that have no block of their own. */
struct last {
  uint32_t *of;       /* per block: 1 + the number of the last, 0 for none */
  struct bitmap kept; /* by number */
  size_t number, n;
};

static unsigned how_of(const struct record *r)
{
  return (unsigned)(r->extra >> URF_HOW_SHIFT);
}

static void see_allocation(struct capture *c, const struct record *r, void *arg)
{
  struct last *last = arg;
  const uint64_t start = r->address - c->bias;
  const size_t number = last->number++, i = COUNT_BELOW(&c->blocks, start, start);
  const bool found = i < c->blocks.n && c->blocks.at[i].start == start && c->blocks.at[i].used;
  if (how_of(r) >= URF_HOW_MAPPING)
    bitmap_set(&last->kept, number, true);
  else if (found) {
    if (last->of[i])
      bitmap_set(&last->kept, last->of[i] - 1, false);
    bitmap_set(&last->kept, number, true);
    last->of[i] = (uint32_t)number + 1;
  }
}

static void add_allocation(struct capture *c, const struct record *r, void *arg)
{
  struct last *last = arg;
  const uint64_t mask = ((uint64_t)1 << URF_HOW_SHIFT) - 1;
  const uint64_t caller = (r->extra & mask) - c->bias - c->lib->lo;
  const size_t number = last->number++;
  if (bitmap_get(&last->kept, number))
    *PUSH(&c->allocations) = (struct allocation){
        .start = r->address - c->bias,
        .size = r->size,
        .how = (uint8_t)how_of(r),
        .caller = caller < c->lib->hi - c->lib->lo && caller <= UINT32_MAX ? (uint32_t)caller : 0,
        .number = (uint32_t)number};
}

int capture_allocations(struct capture *c, const struct sealed *s, struct error *e)
{
  struct last last = {.of = xalloc(c->blocks.n * sizeof *last.of)};
  bitmap_init(&last.kept, s->n_allocations);
  int status = s->n_allocations < UINT32_MAX
                   ? take_records(c, s->allocations, s->n_allocations, see_allocation, &last, e)
                   : capture_unexpected(c->lib, "allocations without number", e);
  free(last.of);
  for (size_t i = bitmap_next(&last.kept, 0); i < last.kept.n; i = bitmap_next(&last.kept, i + 1))
    last.n++;
  last.number = 0;
  c->steps = s->n_allocations;
  c->allocations.at = xalloc(last.n * sizeof *c->allocations.at);
  c->allocations.cap = last.n;
  if (!status)
    status = take_records(c, s->allocations, s->n_allocations, add_allocation, &last, e);
  free(last.kept.at);
  return status;
}
