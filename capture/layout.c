/* The layout of the heap: init has run once, and has shown which blocks are left in the end, and which of those
 * hold pointers.  The runs that are frozen have the former side by side: mappings, those with pointers, those
 * without, whose pages no load writes but for the first.
 *
 * To take a number for a pointer, or not to see that one is rotated, only costs pages. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "turf.h"

enum { PAGE = 4096 };

/* By allocation. */
enum fate { GONE, LEFT_PLAIN, LEFT_POINTERS, MAPPING_PLAIN, MAPPING_POINTERS };

struct learned {
  const struct capture *c;
  unsigned char *fates;
  uint64_t *sizes;             /* as asked for, but of areas what they came to */
  LIST(struct mapped) targets; /* what pointers could lead to, run-time */
  unsigned char near[1 << 16]; /* by address / 4 GiB: whether one of them is there */
};

static uint64_t page_up(uint64_t n)
{
  return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* pointers */

static void add_target(struct learned *l, uint64_t lo, uint64_t hi)
{
  *PUSH(&l->targets) = (struct mapped){lo, hi};
  for (uint64_t at = lo >> 32; at <= hi >> 32 && at < sizeof l->near; at++)
    l->near[at] = 1;
}

/* Whether turf has chosen where that is. */
static bool is_displaced(const struct capture *c, const struct mapping *m)
{
  for (size_t i = 0; i < c->made.n; i++)
    if (m->lo < c->made.at[i].lo + c->made.at[i].size && c->made.at[i].lo < m->hi)
      return true;
  return false;
}

/* The library, the reserve of its heap included, and the rest but for what the kernel places by chance and
 * no import leads to: the layout must not depend on that.  Where an address has 32 bits, many a number leads
 * to whatever else the kernel has placed, the dynamic linker being that. */
static void find_targets(struct learned *l)
{
  const struct capture *c = l->c;
  add_target(l, c->bias + c->lib->lo, c->bias + c->lib->hi);
  for (size_t i = 0; i < c->mappings.n; i++) {
    const struct mapping *m = &c->mappings.at[i];
    if (c->lib->form.word == 4 && !is_displaced(c, m))
      continue;
    if (*m->what != '[' && (m->hi <= c->host_lo || m->lo >= c->host_hi))
      add_target(l, m->lo, m->hi);
  }
}

static bool is_target(const struct learned *l, uint64_t value)
{
  if (value >> 48 || !l->near[value >> 32])
    return false;
  for (size_t i = 0; i < l->targets.n; i++)
    if (value >= l->targets.at[i].lo && value <= l->targets.at[i].hi)
      return true;
  return false;
}

/* At any byte. */
static bool has_pointers(const struct learned *l, uint64_t start, uint64_t size)
{
  const struct capture *c = l->c;
  const unsigned word = c->lib->form.word;
  unsigned char bytes[PAGE + 8];
  for (uint64_t at = 0; at + word <= size;
       at += PAGE) { /* a page of words, and where the last one ends */
    const size_t n = size - at < PAGE + word - 1 ? size - at : PAGE + word - 1;
    region_read(&c->region, start - c->lib->note.data + at, n, bytes);
    for (size_t i = 0; i + word <= n; i++)
      if (is_target(l, get_word(bytes + i, c->lib->form)))
        return true;
  }
  return false;
}

/* what is left */

/* The last that got each used block has it.  False when there is none. */
static bool find_blocks(struct learned *l)
{
  const struct capture *c = l->c;
  uint32_t *last = xalloc(c->blocks.n * sizeof *last); /* 1 + its index, 0 for none */
  bool known = true;
  for (size_t i = 0; i < c->allocations.n; i++) {
    const uint64_t start = c->allocations.at[i].start;
    const size_t b = COUNT_BELOW(&c->blocks, start, start);
    if (b < c->blocks.n && c->blocks.at[b].start == start)
      last[b] = (uint32_t)i + 1;
  }
  for (size_t b = 0; b < c->blocks.n && known; b++) {
    const struct block *block = &c->blocks.at[b];
    known = !block->used || last[b];
    const size_t i = last[b] - (size_t)1;
    if (!block->used || !known || c->allocations.at[i].how == URF_HOW_MAPPING)
      continue;
    const bool area = c->allocations.at[i].how == URF_HOW_AREA;
    l->fates[i] = area || has_pointers(l, block->start, block->size) ? LEFT_POINTERS : LEFT_PLAIN;
    if (area)
      l->sizes[i] = block->size;
  }
  free(last);
  return known;
}

/* The last mapping of a page has it. */
static void find_mappings(struct learned *l)
{
  const struct capture *c = l->c;
  const uint64_t base = c->lib->note.heap & ~(uint64_t)(PAGE - 1);
  const uint64_t n = (c->lib->note.data + c->size - base) / PAGE + 1;
  unsigned char *left = xalloc(n);
  for (size_t i = 0; i < c->mapped.n; i++)
    for (uint64_t at = c->mapped.at[i].lo; at < c->mapped.at[i].hi; at += PAGE)
      left[(at - base) / PAGE] = 1;
  for (size_t i = c->allocations.n; i--;) {
    const struct allocation *a = &c->allocations.at[i];
    const uint64_t first = (a->start - base) / PAGE, end = first + page_up(a->size) / PAGE;
    for (uint64_t page = first; a->how == URF_HOW_MAPPING && page < end && page < n; page++)
      if (left[page]) {
        left[page] = 0;
        if (l->fates[i] != MAPPING_POINTERS)
          l->fates[i] =
              has_pointers(l, base + page * PAGE, PAGE) ? MAPPING_POINTERS : MAPPING_PLAIN;
      }
  }
  free(left);
}

static void count_left(struct left *left, const struct learned *l)
{
  const struct capture *c = l->c;
  *left = (struct left){0};
  for (size_t i = 0; i < c->allocations.n; i++) {
    const bool points = l->fates[i] == LEFT_POINTERS || l->fates[i] == MAPPING_POINTERS;
    left->blocks += l->fates[i] != GONE;
    left->bytes += l->fates[i] != GONE ? l->sizes[i] : 0;
    left->pointer_blocks += points;
    left->pointer_bytes += points ? l->sizes[i] : 0;
  }
}

/* places */

struct places {
  const struct library *lib;
  struct urf_step *steps; /* by allocation */
  uint64_t size;
};

/* A block with its header, at the end of what there is. */
static uint64_t put_block(struct places *p, uint64_t size, uint64_t align)
{
  const uint64_t heap = p->lib->note.heap;
  const unsigned word = p->lib->form.word;
  const uint64_t at = ((heap + p->size + word + align - 1) & ~(align - 1)) - heap;
  p->size = at + size;
  return at;
}

static void put_step(struct places *p, size_t i, const struct learned *l)
{
  const unsigned how = l->c->allocations.at[i].how;
  struct urf_step *step = &p->steps[i];
  if (how == URF_HOW_MAPPING) {
    const uint64_t at = page_up(p->lib->note.heap + p->size) - p->lib->note.heap;
    step->at = at + URF_STEP_MAPPING;
    p->size = at + step->size;
  } else if (how == URF_HOW_AREA)
    step->at = put_block(p, step->size, 16) + URF_STEP_AREA;
  else
    step->at =
        put_block(p, urf_payload(step->size, p->lib->form.word), how > 4 ? (uint64_t)1 << how : 16);
}

static void put_all(struct places *p, const struct learned *l, enum fate fate)
{
  for (size_t i = 0; i < l->c->allocations.n; i++)
    if (l->fates[i] == fate)
      put_step(p, i, l);
}

/* The steps of a layout that have places, in order. */
struct walk {
  const struct urf_layout *layout; /* NULL for none */
  size_t next;
  uint64_t number, after; /* of the last, and of what follows that */
};

static const struct urf_step *walk(struct walk *w)
{
  const struct urf_step *s = NULL;
  while (w->layout && w->after < w->layout->n && !s) {
    const struct urf_step *next = &w->layout->steps[w->next++];
    w->number = w->after;
    w->after += next->at ? 1 : next->size;
    s = next->at ? next : NULL;
  }
  return s;
}

/* What is left has its place already, but for some. */
static void keep_places(struct places *p, struct learned *l, const struct urf_layout *before)
{
  struct walk w = {before, 0, 0, 0};
  size_t i = 0;
  p->size = before->size;
  for (const struct urf_step *s = walk(&w); s; s = walk(&w)) {
    while (i < l->c->allocations.n && l->c->allocations.at[i].number < w.number)
      i++;
    if (i < l->c->allocations.n && l->c->allocations.at[i].number == w.number) {
      p->steps[i] = *s;
      l->fates[i] = GONE;
    }
  }
}

static void find_places(struct places *p, struct learned *l, const struct urf_layout *before)
{
  const struct capture *c = l->c;
  for (size_t i = 0; i < c->allocations.n; i++) {
    const struct allocation *a = &c->allocations.at[i];
    p->steps[i].size = a->how == URF_HOW_MAPPING ? page_up(a->size) : l->sizes[i];
  }
  if (before)
    keep_places(p, l, before);
  put_all(p, l, MAPPING_PLAIN);
  put_all(p, l, MAPPING_POINTERS);
  if (p->size < p->lib->form.word)
    p->size = p->lib->form.word; /* in front of the first header, so that its block is aligned */
  put_all(p, l, LEFT_POINTERS);
  put_all(p, l, LEFT_PLAIN);
}

/* The step of that number, and those since the last one, which are gone; step NULL: it is the end. */
static void write_step(struct bytes *out, uint64_t *last, uint64_t number,
                       const struct urf_step *step)
{
  const struct urf_step gone = {.size = number - *last};
  if (gone.size)
    put_bytes(out, &gone, sizeof gone);
  if (step)
    put_bytes(out, step, sizeof *step);
  *last = number + 1;
}

/* Places that the layout before had stay, even if nothing is left there this time. */
static void write_layout(struct bytes *out, const struct places *p, const struct capture *c,
                         const struct urf_layout *before)
{
  const struct urf_layout header = {.n = c->steps, .size = p->size};
  struct walk w = {before, 0, 0, 0};
  const struct urf_step *kept = walk(&w);
  uint64_t last = 0;
  put_bytes(out, &header, sizeof header);
  for (size_t i = 0; i < c->allocations.n; i++) {
    const uint64_t number = c->allocations.at[i].number;
    for (; kept && w.number < number; kept = walk(&w))
      write_step(out, &last, w.number, kept);
    if (kept && w.number == number)
      kept = walk(&w);
    if (p->steps[i].at)
      write_step(out, &last, number, &p->steps[i]);
  }
  for (; kept; kept = walk(&w))
    write_step(out, &last, w.number, kept);
  write_step(out, &last, c->steps, NULL);
}

bool layout_make(struct bytes *out, struct left *left, const struct capture *c,
                 const struct layout *before)
{
  const struct urf_layout *all = before ? before->map : NULL;
  const struct urf_layout *kept = all && all->n == c->steps ? all : NULL;
  const size_t n = c->allocations.n;
  struct learned l = {.c = c, .fates = xalloc(n), .sizes = xalloc(n * sizeof *l.sizes)};
  struct places p = {.lib = c->lib, .steps = xalloc(n * sizeof *p.steps)};
  for (size_t i = 0; i < n; i++)
    l.sizes[i] = c->allocations.at[i].size;
  find_targets(&l);
  const bool known = find_blocks(&l);
  find_mappings(&l);
  count_left(left, &l);
  find_places(&p, &l, kept);
  write_layout(out, &p, c, kept);
  free(p.steps);
  free(l.fates);
  free(l.sizes);
  free(l.targets.at);
  return known && kept == all;
}

/* for the host program */

static int write_all(int fd, const struct bytes *bytes)
{
  for (size_t at = 0; at < bytes->n;) {
    ssize_t n = write(fd, bytes->at + at, bytes->n - at);
    if (n < 0 && errno != EINTR)
      return -1;
    at += n > 0 ? (size_t)n : 0;
  }
  return 0;
}

int layout_new(struct layout **layout, struct bytes *bytes, struct form form, struct error *e)
{
  struct layout *l = xalloc(sizeof *l);
  l->size = bytes->n;
  l->map = MAP_FAILED;
  l->fd = memfd_create("layout", MFD_CLOEXEC);
  order_turn(form, RECORD_NUMBER, bytes->at, bytes->n / sizeof(uint64_t));
  if (l->fd >= 0 && !write_all(l->fd, bytes))
    l->map = form.swapped ? mmap(NULL, l->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, l->fd, 0)
                          : mmap(NULL, l->size, PROT_READ, MAP_SHARED, l->fd, 0);
  if (l->map == MAP_FAILED) {
    fail_errno(e, "the layout of the heap", "cannot be handed on");
    layout_free(l);
    return -1;
  }
  order_turn(form, RECORD_NUMBER, l->map, l->size / sizeof(uint64_t));
  layout_free(*layout);
  *layout = l;
  return 0;
}

void layout_free(struct layout *layout)
{
  if (!layout)
    return;
  if (layout->map != MAP_FAILED)
    munmap(layout->map, layout->size);
  if (layout->fd >= 0)
    close(layout->fd);
  free(layout);
}

char *layout_strayed(const struct capture *c)
{
  static const char *const why[] = {
      [URF_STRAY_SIZE] = "asked for another size than in the run before",
      [URF_STRAY_MORE] = "was not made in the run before",
      [URF_STRAY_FEWER] = "was made in the run before, and not again",
      [URF_STRAY_LEFT] =
          "was the last, and again a block was left that was gone in the runs before",
      [URF_STRAY_ROOM] = "did not fit into the reserve of the heap, with what is gone by the end "
                         "apart from what is left",
  };
  if (!c->strayed || c->strayed >= sizeof why / sizeof *why)
    return NULL;
  return xprintf("allocation %ju %s", (uintmax_t)c->strayed_at + 1, why[c->strayed]);
}
