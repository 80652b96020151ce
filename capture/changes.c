/* The initialised data of the library that was frozen, had back from that of the frozen one.
 *
 * Most words of it are as they were; and a word that the dynamic linker relocated is a pointer still, to the
 * same place.  So what is kept is which others there are.  Few values are many of them: what init fills
 * in was 0, counts of references are all alike.  These have a number each, and a byte says how far it is
 * to the next and which it is; and what has been said before, as init does the same to many things, is
 * referred to. */

#include <stdlib.h>
#include <string.h>

#include "write.h"

enum { SAME, CHANGED, FIXED };

/* Of words that are alike, so many at once. */
enum { ALIKE = 256 };

static bool has(const struct origin_data *d, size_t offset, size_t size, unsigned char how)
{
  return memchr(d->how + offset, how, size) != NULL;
}

static void mark(struct origin_data *d, size_t offset, unsigned char how)
{
  if (offset < d->n)
    memset(d->how + offset, how, d->n - offset < d->form.word ? d->n - offset : d->form.word);
}

/* where the two differ */

static void add_pointer(struct origin_data *d, size_t offset, bool rotated)
{
  if (offset < d->limit)
    *PUSH(&d->pointers) =
        (struct origin_pointer){offset, rotated || d->limit - offset < d->form.word};
}

void origin_data_init(struct origin_data *d, const struct plan *plan, const struct library *lib,
                      size_t size)
{
  const size_t in_data = (size_t)(lib->note.bss - lib->note.data);
  *d = (struct origin_data){.form = lib->form};
  d->n = (size + d->form.word - 1) / d->form.word * d->form.word;
  d->limit = in_data < d->n ? in_data : d->n;
  d->limit = plan->size < d->limit ? plan->size : d->limit;
  d->bytes = xalloc(d->n);
  d->how = xalloc(d->n);
  memcpy(d->bytes, plan->image, d->limit);
  const struct bitmap *b = &plan->pointers;
  for (size_t i = bitmap_next(b, 0); i < b->n && i * d->form.word < d->limit;
       i = bitmap_next(b, i + 1))
    add_pointer(d, i * d->form.word, false);
  for (size_t i = 0; i < plan->sites.n; i++) {
    const struct site *s = &plan->sites.at[i];
    if (s->kind == SITE_POINTER && !s->by_ldso)
      add_pointer(d, s->offset, s->rotated);
  }
}

void origin_data_free(struct origin_data *d)
{
  free(d->bytes);
  free(d->how);
  free(d->pointers.at);
  free(d->relative.at);
}

static int compare_slot(const void *key, const void *element)
{
  const uint64_t *address = key;
  const struct slot *slot = element;
  return *address < slot->address ? -1 : *address > slot->address;
}

static bool is_relative(const struct library *lib, size_t offset)
{
  const uint64_t address = lib->note.data + offset;
  const struct slot *slot = lib->slots.n ? bsearch(&address, lib->slots.at, lib->slots.n,
                                                   sizeof *lib->slots.at, compare_slot)
                                         : NULL;
  return slot && slot->kind == SLOT_RELATIVE;
}

/* As the file has it, with the addresses that the dynamic linker relocates in their words.  NULL when two
 * of those are one over the other. */
static unsigned char *data_of(const struct library *lib, size_t n)
{
  unsigned char *data = xalloc(n);
  uint64_t end = 0;
  memcpy(data, lib->data, lib->data_size < n ? lib->data_size : n);
  for (size_t i = 0; i < lib->slots.n; i++) {
    const struct slot *s = &lib->slots.at[i];
    if (s->address < end) {
      free(data);
      return NULL;
    }
    end = s->address + lib->form.word;
    if (s->kind == SLOT_RELATIVE)
      put_word(data + (s->address - lib->note.data), lib->form, (uint64_t)s->addend);
  }
  return data;
}

size_t origin_data_size(const struct library *lib)
{
  size_t size = lib->data_size;
  for (size_t i = 0; i < lib->slots.n; i++) {
    const size_t end = (size_t)(lib->slots.at[i].address - lib->note.data) + lib->form.word;
    if (lib->slots.at[i].kind == SLOT_RELATIVE && end > size)
      size = end;
  }
  return size;
}

bool origin_data_compare(struct origin_data *d, const struct plan *plan, const struct library *lib)
{
  unsigned char *was = data_of(lib, d->n);
  if (!was)
    return false;
  for (size_t i = 0; i < d->n; i++)
    d->how[i] = d->bytes[i] == was[i] ? SAME : CHANGED;
  free(d->bytes);
  d->bytes = was;
  for (size_t i = 0; i < d->pointers.n; i++) { /* it has been moved, unless it is */
    const struct origin_pointer *p = &d->pointers.at[i];
    if (p->other || has(d, p->offset, d->form.word, CHANGED) || !is_relative(lib, p->offset))
      mark(d, p->offset, CHANGED);
    else
      mark(d, p->offset, FIXED);
  }
  for (size_t i = 0; i < plan->sites.n; i++)
    if (plan->sites.at[i].by_ldso)
      mark(d, plan->sites.at[i].offset, FIXED);
  for (size_t i = 0; i < lib->slots.n; i++) {
    const size_t offset = (size_t)(lib->slots.at[i].address - lib->note.data);
    if (lib->slots.at[i].kind == SLOT_RELATIVE && d->how[offset] != FIXED)
      *PUSH(&d->relative) = offset;
  }
  return true;
}

/* the word list */

/* Words side by side of one value, all of them to be written. */
struct equal {
  uint64_t value, n, saves; /* bytes of the list that they take when each is written out */
};

static unsigned char changes(const struct origin_data *d, size_t at)
{
  unsigned char bits = 0;
  for (unsigned i = 0; i < d->form.word; i++)
    bits |= (unsigned char)((d->how[at + i] == CHANGED) << i);
  return bits;
}

/* Those that begin there, n being 0 when there are none. */
static struct equal equal_at(const struct origin_data *d, size_t at)
{
  struct equal e = {.value = get_word(d->bytes + at, d->form)};
  for (; at < d->n && e.n < ALIKE && changes(d, at) && !has(d, at, d->form.word, FIXED) &&
         get_word(d->bytes + at, d->form) == e.value;
       at += d->form.word) {
    e.n++;
    e.saves += 2 + (uint64_t)__builtin_popcount(changes(d, at));
  }
  return e;
}

static int by_value(const void *a, const void *b)
{
  const struct equal *x = a, *y = b;
  if (x->value != y->value)
    return x->value < y->value ? -1 : 1;
  return x->n < y->n ? -1 : x->n > y->n;
}

struct frequent {
  struct urf_common common;
  uint64_t count, saves;
};

/* The same count: by value, so that the same bytes come out every time. */
static int by_count(const void *a, const void *b)
{
  const struct frequent *x = a, *y = b;
  if (x->count != y->count)
    return x->count > y->count ? -1 : 1;
  return memcmp(&x->common, &y->common, sizeof x->common);
}

static size_t find_common(const struct origin_data *d, struct urf_common *common)
{
  LIST(struct equal) runs = {0};
  LIST(struct frequent) list = {0};
  size_t n = 0;
  for (size_t at = 0; at < d->n;) {
    const struct equal e = equal_at(d, at);
    if (e.n)
      *PUSH(&runs) = e;
    at += (e.n ? (size_t)e.n : 1) * d->form.word;
  }
  sort(runs.at, runs.n, sizeof *runs.at, by_value);
  for (size_t i = 0; i < runs.n; i++) {
    if (!i || by_value(&runs.at[i - 1], &runs.at[i]) != 0)
      *PUSH(&list) = (struct frequent){{runs.at[i].value, runs.at[i].n}, 0, 0};
    list.at[list.n - 1].count++;
    list.at[list.n - 1].saves += runs.at[i].saves - 1;
  }
  sort(list.at, list.n, sizeof *list.at, by_count);
  for (size_t i = 0; i < list.n && n < URF_AGAIN; i++)
    if (list.at[i].saves > sizeof *common)
      common[n++] = list.at[i].common;
  free(runs.at);
  free(list.at);
  return n;
}

/* The longest of those that fit, or URF_RARE. */
static size_t choose(const struct urf_common *common, size_t n, const struct equal *e)
{
  size_t best = URF_RARE;
  for (size_t i = 0; i < n; i++)
    if (common[i].value == e->value && common[i].n <= e->n &&
        (best == URF_RARE || common[i].n > common[best].n))
      best = i;
  return best;
}

static void put_change(struct bytes *out, size_t gap, size_t which)
{
  const size_t near = gap < URF_FAR ? gap : URF_FAR;
  put_bytes(out, &(unsigned char){(unsigned char)(near | which << URF_SHIFT)}, 1);
  if (near == URF_FAR)
    put_uleb(out, gap - near);
}

static void put_rare(struct bytes *out, const struct origin_data *d, size_t at, unsigned char bits)
{
  put_bytes(out, &bits, 1);
  for (unsigned i = 0; i < d->form.word; i++)
    if (bits >> i & 1)
      put_bytes(out, d->bytes + at + i, 1);
}

/* What can be said again: steps of the list, none of which is a URF_AGAIN, that stand in the output side by
 * side.  Of those that begin with the same LEAST some are tried. */
enum { LEAST = 4, TRIES = 64, BUCKETS = 1 << 14, AGAIN_SIZE = 6 };

struct steps {
  struct bytes raw;
  LIST(size_t) start;    /* of each in raw, and the end of the last */
  size_t *place;         /* in the output, SIZE_MAX for none */
  size_t *before, *last; /* by step: the last one before that has the same LEAST; by their hash */
};

static size_t hash_of(const struct steps *s, size_t i)
{
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (size_t at = s->start.at[i]; at < s->start.at[i + LEAST]; at++)
    hash = (hash ^ s->raw.at[at]) * 16777619u;
  return (hash ^ hash >> 16) % BUCKETS;
}

static size_t size_of(const struct steps *s, size_t i)
{
  return s->start.at[i + 1] - s->start.at[i];
}

/* How many from i on are the same as those from j on, which stand side by side when each has a place. */
static size_t match(const struct steps *s, size_t j, size_t i)
{
  size_t n = 0;
  while (i + n + 1 < s->start.n && j + n < i && s->place[j + n] != SIZE_MAX &&
         size_of(s, j + n) == size_of(s, i + n) &&
         memcmp(s->raw.at + s->start.at[j + n], s->raw.at + s->start.at[i + n],
                size_of(s, i + n)) == 0)
    n++;
  return n;
}

/* The most that step i and those behind it have in common with earlier ones, from *j on. */
static size_t find_again(struct steps *s, size_t i, size_t *j)
{
  size_t best = 0;
  if (i + LEAST >= s->start.n)
    return 0;
  const size_t bucket = hash_of(s, i);
  size_t tries = TRIES;
  for (size_t at = s->last[bucket]; at != SIZE_MAX && tries--; at = s->before[at]) {
    const size_t n = match(s, at, i);
    if (n > best) {
      best = n;
      *j = at;
    }
  }
  s->before[i] = s->last[bucket];
  s->last[bucket] = i;
  return best && s->start.at[i + best] - s->start.at[i] > AGAIN_SIZE ? best : 0;
}

static void put_steps(struct steps *s, struct bytes *out)
{
  const size_t count = s->start.n - 1;
  s->place = xalloc(count * sizeof *s->place);
  s->before = xalloc(count * sizeof *s->before);
  s->last = xalloc(BUCKETS * sizeof *s->last);
  memset(s->last, 0xff, BUCKETS * sizeof *s->last);
  for (size_t i = 0, j, n; i < count; i += n) {
    const size_t at = out->n;
    n = find_again(s, i, &j);
    if (n) {
      put_change(out, 0, URF_AGAIN);
      put_uleb(out, at - s->place[j]);
      put_uleb(out, s->start.at[i + n] - s->start.at[i]);
      memset(s->place + i, 0xff, n * sizeof *s->place);
    } else {
      s->place[i] = at;
      put_bytes(out, s->raw.at + s->start.at[i], size_of(s, i));
      n = 1;
    }
  }
  free(s->place);
  free(s->before);
  free(s->last);
}

size_t origin_data_pack(const struct origin_data *d, struct urf_common *common, struct bytes *words)
{
  const size_t n = find_common(d, common);
  struct steps s = {0};
  size_t gap = 0;
  for (size_t at = 0; at < d->n;) {
    const unsigned char bits = changes(d, at);
    const struct equal e = equal_at(d, at);
    const size_t which = choose(common, n, &e);
    if (bits) {
      *PUSH(&s.start) = s.raw.n;
      put_change(&s.raw, gap, which);
    }
    gap = bits ? 0 : gap + 1;
    if (bits && which == URF_RARE)
      put_rare(&s.raw, d, at, bits);
    at += (which == URF_RARE ? 1 : (size_t)common[which].n) * d->form.word;
  }
  *PUSH(&s.start) = s.raw.n;
  put_steps(&s, words);
  put_bytes(words, "", 1);
  free(s.raw.at);
  free(s.start.at);
  return n;
}

/* reading it */

static bool write_common(struct origin_data *d, size_t *at, const struct urf_common *c)
{
  if (!c->n || c->n > (d->n - *at) / d->form.word)
    return false;
  for (uint64_t i = 0; i < c->n; i++, *at += d->form.word) {
    put_word(d->bytes + *at, d->form, c->value);
    mark(d, *at, CHANGED);
  }
  return true;
}

static bool write_rare(struct origin_data *d, size_t *at, const unsigned char **from,
                       const unsigned char *end)
{
  if (*from == end || *at == d->n)
    return false;
  unsigned bits = *(*from)++;
  for (; bits; bits &= bits - 1) {
    const size_t byte = *at + (unsigned)__builtin_ctz(bits);
    if (*from == end || byte >= d->n)
      return false;
    d->bytes[byte] = *(*from)++;
    d->how[byte] = CHANGED;
  }
  *at += d->form.word;
  return true;
}

/* A part of a list, which begins at first. */
static bool change_words(struct origin_data *d, size_t *at, const struct urf_common *common,
                         size_t n, const unsigned char *first, const unsigned char *from,
                         const unsigned char *end, bool again)
{
  while (from < end) {
    const unsigned char *step = from;
    const size_t which = *from >> URF_SHIFT;
    uint64_t gap = *from++ & URF_FAR, more = 0, back, size;
    if (gap == URF_FAR && !get_uleb(&from, end, &more))
      return false;
    if (more > d->n || gap + more > (d->n - *at) / d->form.word)
      return false;
    *at += (size_t)(gap + more) * d->form.word;
    if (which == URF_RARE ? !write_rare(d, at, &from, end)
                          : which < n && !write_common(d, at, &common[which]))
      return false;
    if (which == URF_RARE || which < n)
      continue;
    if (which != URF_AGAIN || again || !get_uleb(&from, end, &back) ||
        !get_uleb(&from, end, &size) || back > (uint64_t)(step - first) || size > back ||
        !change_words(d, at, common, n, first, step - back, step - back + size, true))
      return false;
  }
  return true;
}

bool origin_data_unpack(struct origin_data *d, const struct urf_common *common, size_t n,
                        const unsigned char *from, const unsigned char *end)
{
  size_t at = 0;
  return change_words(d, &at, common, n, from, from, end - 1, false);
}

static int by_offset(const void *a, const void *b)
{
  const size_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

void origin_data_relocated(struct origin_data *d)
{
  for (size_t i = 0; i < d->pointers.n; i++)
    if (!d->pointers.at[i].other && !has(d, d->pointers.at[i].offset, d->form.word, CHANGED))
      *PUSH(&d->relative) = d->pointers.at[i].offset;
  sort(d->relative.at, d->relative.n, sizeof *d->relative.at, by_offset);
}
