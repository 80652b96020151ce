/* The region of a run: whole of the first one, of the others as far as it is not the first one's.
 *
 * Nearly all pages of another run are the same, or would be if the library had been loaded where the
 * first run had it: words that lead into the image there have moved with it, and no other word differs.
 * Where it is known which words are pointers those have moved: at bias 0 small numbers lead there as well.
 * Such a page is only marked.  The few words that are not what follows from this are kept one by one;
 * a page with many of them is kept as it is.  So what comes out is what went in, byte for byte, whatever
 * the words mean: that is not decided here. */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "turf.h"

/* A page with more odd words is kept as it is, which costs no more than four times as much. */
enum { PATCHES_AT_MOST = REGION_PAGE / sizeof(struct patch) / 4 };

int region_init(struct region *g, const struct region *first, size_t room, struct form form)
{
  const size_t whole = (room + REGION_PAGE - 1) & ~(size_t)(REGION_PAGE - 1);
  void *p =
      mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  *g = (struct region){.room = whole, .form = form, .first = first};
  if (p == MAP_FAILED)
    return -1;
  (void)madvise(p, whole, MADV_DONTFORK); /* a copy of so many page tables takes a while */
  g->own = p;
  if (first)
    g->kind = xalloc(whole / REGION_PAGE);
  return 0;
}

void region_free(struct region *g)
{
  if (g->own)
    munmap(g->own, g->room);
  free(g->kind);
  free(g->patches.at);
  *g = (struct region){0};
}

/* The word here where the first run has v, at that offset. */
static uint64_t follow(const struct region *g, size_t at, uint64_t v)
{
  const struct bitmap *pointers = g->first->pointers;
  const bool moves = pointers ? bitmap_get(pointers, at / g->form.word) : v - g->from <= g->size;
  return v + (moves ? g->by : 0);
}

/* The same for a page; a loop for each common form of a word, so that it is one instruction to load one. */
static inline void follow_range(const struct region *g, size_t at, unsigned char *to,
                                struct form form)
{
  const unsigned char *was = g->first->own + at;
  for (size_t i = 0; i < REGION_PAGE; i += form.word) {
    const uint64_t v = get_word(was + i, form);
    put_word(to + i, form, v + (v - g->from <= g->size ? g->by : 0));
  }
}

static inline void follow_marks(const struct region *g, size_t at, unsigned char *to,
                                struct form form)
{
  enum { BITS = 64 };
  const unsigned word = form.word;
  const struct bitmap *pointers = g->first->pointers;
  const unsigned char *was = g->first->own + at;
  for (size_t i = 0; i < REGION_PAGE; i += BITS * word) {
    const size_t n = (at + i) / word;
    uint64_t bits = n < pointers->n ? pointers->at[n / BITS] : 0;
    for (size_t j = i; j < i + BITS * word; j += word, bits >>= 1)
      put_word(to + j, form, get_word(was + j, form) + (g->by & -(bits & 1)));
  }
}

static void follow_page(const struct region *g, size_t at, unsigned char *to)
{
  const bool marks = g->first->pointers;
  if (g->form.swapped)
    (marks ? follow_marks : follow_range)(g, at, to, g->form);
  else if (marks && g->form.word == 8)
    follow_marks(g, at, to, native(8));
  else if (marks)
    follow_marks(g, at, to, native(4));
  else if (g->form.word == 8)
    follow_range(g, at, to, native(8));
  else
    follow_range(g, at, to, native(4));
}

void region_moved(struct region *g, uint64_t from, uint64_t size, uint64_t by)
{
  g->from = from;
  g->size = size;
  g->by = by;
}

/* The same as expected but for a few words, which are noted. */
static bool nearly_follows(struct region *g, size_t at, const unsigned char *expected,
                           const unsigned char *now)
{
  const size_t before = g->patches.n;
  const unsigned word = g->form.word;
  for (size_t i = 0; i < REGION_PAGE; i += word) {
    if (memcmp(expected + i, now + i, word) == 0)
      continue;
    if (g->patches.n - before == PATCHES_AT_MOST) {
      g->patches.n = before;
      return false;
    }
    *PUSH(&g->patches) = (struct patch){at + i, get_word(now + i, g->form)};
  }
  return true;
}

static void put_page(struct region *g, size_t at, const unsigned char *now)
{
  const bool is_there = at < g->first->room;
  const bool is_same = is_there && memcmp(g->first->own + at, now, REGION_PAGE) == 0;
  unsigned char kind = PAGE_OWN, expected[REGION_PAGE];
  if (is_there && !is_same)
    follow_page(g, at, expected);
  if (is_same)
    kind = PAGE_SAME;
  else if (is_there && memcmp(expected, now, REGION_PAGE) == 0)
    kind = PAGE_MOVED;
  else if (is_there && nearly_follows(g, at, expected, now))
    kind = PAGE_PATCHED;
  else
    copy_sparse(g->own + at, now, REGION_PAGE);
  g->kind[at / REGION_PAGE] = kind;
}

void region_put(struct region *g, size_t at, const unsigned char *bytes, size_t n)
{
  unsigned char last[REGION_PAGE] = {0};
  if (!g->first) {
    copy_sparse(g->own + at, bytes, n);
    return;
  }
  for (; n >= REGION_PAGE; at += REGION_PAGE, bytes += REGION_PAGE, n -= REGION_PAGE)
    put_page(g, at, bytes);
  if (n) {
    memcpy(last, bytes, n);
    put_page(g, at, last);
  }
}

enum page_kind region_kind(const struct region *g, size_t at)
{
  return g->kind ? (enum page_kind)g->kind[at / REGION_PAGE] : PAGE_OWN;
}

/* The first patch at or behind an offset. */
static size_t find_patch(const struct region *g, size_t at)
{
  return COUNT_BELOW(&g->patches, offset, at);
}

const unsigned char *region_page(const struct region *g, size_t at, unsigned char *room)
{
  const enum page_kind kind = region_kind(g, at);
  if (kind == PAGE_OWN || kind == PAGE_SAME)
    return (kind == PAGE_OWN ? g : g->first)->own + at;
  follow_page(g, at, room);
  for (size_t i = kind == PAGE_PATCHED ? find_patch(g, at) : g->patches.n;
       i < g->patches.n && g->patches.at[i].offset < at + REGION_PAGE; i++)
    put_word(room + (g->patches.at[i].offset - at), g->form, g->patches.at[i].value);
  return room;
}

void region_read(const struct region *g, size_t at, size_t n, void *out)
{
  unsigned char room[REGION_PAGE], *to = out;
  while (n) {
    const size_t skip = at % REGION_PAGE;
    const size_t part = n < REGION_PAGE - skip ? n : REGION_PAGE - skip;
    memcpy(to, region_page(g, at - skip, room) + skip, part);
    at += part;
    to += part;
    n -= part;
  }
}

/* At a multiple of the word's size. */
static uint64_t aligned_word(const struct region *g, size_t at)
{
  const enum page_kind kind = region_kind(g, at);
  if (kind == PAGE_OWN || kind == PAGE_SAME)
    return get_word((kind == PAGE_OWN ? g : g->first)->own + at, g->form);
  if (kind == PAGE_PATCHED) {
    const size_t i = find_patch(g, at);
    if (i < g->patches.n && g->patches.at[i].offset == at)
      return g->patches.at[i].value;
  }
  return follow(g, at, get_word(g->first->own + at, g->form));
}

uint64_t region_word(const struct region *g, size_t at)
{
  const unsigned word = g->form.word;
  unsigned char two[16];
  if (!g->kind)
    return get_word(g->own + at, g->form);
  if (at % word == 0)
    return aligned_word(g, at);
  put_word(two, g->form, aligned_word(g, at - at % word));
  put_word(two + word, g->form, aligned_word(g, at - at % word + word));
  return get_word(two + at % word, g->form);
}

unsigned char region_byte(const struct region *g, size_t at)
{
  unsigned char bytes[8];
  if (!g->kind)
    return g->own[at];
  put_word(bytes, g->form, aligned_word(g, at - at % g->form.word));
  return bytes[at % g->form.word];
}

bool region_is_zero(const struct region *g, size_t at, size_t n)
{
  static const unsigned char zeros[REGION_PAGE];
  unsigned char room[REGION_PAGE];
  bool is = true;
  while (n && is) {
    const size_t skip = at % REGION_PAGE;
    const size_t part = n < REGION_PAGE - skip ? n : REGION_PAGE - skip;
    is = memcmp(region_page(g, at - skip, room) + skip, zeros, part) == 0;
    at += part;
    n -= part;
  }
  return is;
}

bool regions_differ(const struct capture *runs, size_t n, size_t at)
{
  for (size_t r = 1; r < n; r++)
    if (region_byte(&runs[r].region, at) != region_byte(&runs[0].region, at))
      return true;
  return false;
}
