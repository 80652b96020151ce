/* The input as far as it follows from the frozen library: what both the freeze does, which then keeps only
 * what is otherwise, and verify. */

#include <stdlib.h>
#include <string.h>

#include "write.h"

/* The place in the input of so many bytes, or NULL. */
static unsigned char *find(const struct rebuild *r, uint64_t address, uint64_t size)
{
  for (size_t i = 0; i < r->n_segments; i++) {
    const GElf_Phdr *p = &r->segments[i];
    const uint64_t at = address - p->p_vaddr;
    if (p->p_type == PT_LOAD && at <= p->p_filesz && size <= p->p_filesz - at)
      return r->out + p->p_offset + at;
  }
  return NULL;
}

static const unsigned char *find_list(const struct rebuild *r, uint64_t offset, uint64_t size)
{
  return offset <= r->table_size && size <= r->table_size - offset ? r->table + offset : NULL;
}

/* data */

static bool read_sites(struct origin_data *d, const unsigned char *at, const unsigned char *end)
{
  uint64_t offset = 0, distance;
  while (at < end) {
    if (!get_uleb(&at, end, &distance) || distance > d->n)
      return false;
    offset += distance;
    if (offset > d->n || d->n - offset < d->form.word)
      return false;
    *PUSH(&d->relative) = (size_t)offset;
  }
  return true;
}

static bool read_lists(struct rebuild *r)
{
  const struct urf_origin *o = &r->origin;
  struct urf_common common[URF_AGAIN];
  const unsigned char *words = find_list(r, o->words, o->words_size);
  const unsigned char *sites = find_list(r, o->relative, o->relative_size);
  if (o->n_common > URF_AGAIN || !words || !o->words_size || !sites)
    return false;
  const size_t size = (size_t)o->n_common * sizeof *common;
  const unsigned char *list = find_list(r, o->common, size);
  if (!list)
    return false;
  if (size)
    memcpy(common, list, size);
  return origin_data_unpack(&r->data, common, (size_t)o->n_common, words, words + o->words_size) &&
         read_sites(&r->data, sites, sites + o->relative_size);
}

bool rebuild_data(struct rebuild *r)
{
  /* no more than the loader empties and fills again */
  if (r->origin.data_size > r->lib->note.heap + r->lib->note.heap_reserve - r->lib->note.data)
    return false;
  origin_data_init(&r->data, r->plan, r->lib, (size_t)r->origin.data_size);
  if (!read_lists(r))
    return false;
  origin_data_relocated(&r->data);
  r->n_moved = r->data.relative.n;
  r->moved = xalloc(r->n_moved * sizeof *r->moved);
  for (size_t i = 0; i < r->n_moved; i++) {
    const size_t at = r->data.relative.at[i];
    r->moved[i] =
        (struct moved){r->lib->note.data + at, get_word(r->data.bytes + at, r->lib->form), false};
  }
  return true;
}

/* As much of it as the file has. */
static void put_data(struct rebuild *r)
{
  const uint64_t data = r->lib->note.data;
  for (size_t i = 0; i < r->n_segments; i++) {
    const GElf_Phdr *p = &r->segments[i];
    if (p->p_type != PT_LOAD || data + r->data.n <= p->p_vaddr || p->p_vaddr + p->p_filesz <= data)
      continue;
    const uint64_t lo = p->p_vaddr < data ? data : p->p_vaddr;
    const uint64_t left = data + r->data.n - lo, room = p->p_vaddr + p->p_filesz - lo;
    memcpy(r->out + p->p_offset + (lo - p->p_vaddr), r->data.bytes + (lo - data),
           (size_t)(left < room ? left : room));
  }
}

/* tables */

void rebuild_read_entries(struct entry *out, size_t n, const unsigned char *from, struct form form)
{
  const unsigned word = form.word;
  for (size_t i = 0; i < n; i++, from += 3 * word)
    out[i] = (struct entry){get_word(from, form), get_word(from + word, form),
                            get_word(from + 2 * word, form)};
}

struct entry *rebuild_left(const struct rebuild *r)
{
  const unsigned word = r->lib->form.word;
  const uint64_t n = r->origin.n_left;
  const unsigned char *at = n < r->size ? find(r, r->origin.rela, n * 3 * word) : NULL;
  if (!at)
    return NULL;
  struct entry *left = xalloc((size_t)n * sizeof *left);
  rebuild_read_entries(left, (size_t)n, at, r->lib->form);
  for (size_t i = 0; i < n; i++) { /* see struct urf_fallback */
    const uint64_t shadow = left[i].offset - r->shadows;
    if (shadow % word == 0 && shadow / word < r->n_shadowed)
      left[i].offset = r->shadowed[shadow / word];
  }
  return left;
}

static bool put_entries(struct rebuild *r, const struct entry *entries, size_t n)
{
  const struct form form = r->lib->form;
  const unsigned word = form.word;
  unsigned char *to = find(r, r->origin.rela, n * 3 * word);
  for (size_t i = 0; to && i < n; i++, to += 3 * word) {
    put_word(to, form, entries[i].offset);
    put_word(to + word, form, entries[i].info);
    put_word(to + 2 * word, form, entries[i].addend);
  }
  return to != NULL;
}

static bool put_rela(struct rebuild *r)
{
  const struct urf_origin *o = &r->origin;
  const unsigned char *list = find_list(r, o->entries, o->entries_size);
  struct entry *left = list ? rebuild_left(r) : NULL;
  const size_t room = r->size / (3 * r->lib->form.word);
  struct entry *all = xalloc(room * sizeof *all);
  size_t n;
  const bool ok =
      left &&
      entries_unpack(all, room, &n, list, list + o->entries_size, left, (size_t)o->n_left, r->moved,
                     r->n_moved, r->lib->machine->relative) &&
      put_entries(r, all, n);
  free(left);
  free(all);
  return ok;
}

/* What an entry says need not be in the word, too. */
static void clear_words(struct rebuild *r)
{
  for (size_t i = 0; i < r->n_moved; i++) {
    unsigned char *at = find(r, r->moved[i].address, r->lib->form.word);
    if (at && r->moved[i].listed)
      memset(at, 0, r->lib->form.word);
  }
}

static int by_address(const void *a, const void *b)
{
  const uint64_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

static bool put_relr(struct rebuild *r)
{
  const struct urf_origin *o = &r->origin;
  struct addresses all = {0};
  struct bytes out = {0};
  const unsigned char *left = find(r, o->relr, o->relr_left);
  if (!left)
    return false;
  relr_unpack(&all, left, (size_t)o->relr_left, r->lib->form);
  for (size_t i = 0; i < r->n_moved; i++)
    if (!r->moved[i].listed)
      *PUSH(&all) = r->moved[i].address;
  sort(all.at, all.n, sizeof *all.at, by_address);
  relr_pack(&out, all.at, all.n, r->lib->form);
  unsigned char *to = find(r, o->relr, out.n);
  if (to && out.n)
    memcpy(to, out.at, out.n);
  free(all.at);
  free(out.at);
  return to != NULL;
}

bool rebuild_rest(struct rebuild *r)
{
  const size_t known = offsetof(struct urf_note, flags);
  unsigned char *note = find(r, r->lib->note.self, sizeof(struct urf_note));
  put_data(r);
  if (!note || (r->origin.rela && !put_rela(r)))
    return false;
  memset(note + known, 0, sizeof(struct urf_note) - known);
  if (r->origin.cleared)
    clear_words(r);
  return !r->origin.relr || put_relr(r);
}

void rebuild_free(struct rebuild *r)
{
  origin_data_free(&r->data);
  free(r->moved);
}
