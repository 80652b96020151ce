/* The table of a frozen file: laid out here, and read back for verify. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "turf.h"

static void align_to(struct bytes *b, size_t n)
{
  while (b->n % n)
    put_bytes(b, "", 1);
}

static void put_pointer(struct bytes *b, struct form form, uint64_t value)
{
  unsigned char bytes[8];
  put_word(bytes, form, value);
  put_bytes(b, bytes, form.word);
}

static bool is_bound(const struct site *s)
{
  return s->kind == SITE_IMPORT && !s->by_ldso;
}

static bool is_odd(const struct site *s)
{
  return s->kind == SITE_POINTER && !s->by_ldso && !s->rotated;
}

enum { PAGE = 4096 };

static struct urf_stretch stretch_of(const struct library *lib, const struct plan *plan,
                                     const struct stretch *s)
{
  const uint64_t first = lib->note.data & ~(uint64_t)(PAGE - 1);
  const uint64_t lo = first + s->page * PAGE, hi = lo + s->n * PAGE;
  struct urf_stretch out = {.address = lo, .size = hi - lo, .way = s->way};
  if (s->way == URF_TOUCH) { /* of the first and last page only what is the region's */
    const uint64_t end = lib->note.data + plan->size;
    out.address = lo > lib->note.data ? lo : lib->note.data;
    out.size = (hi < end ? hi : end) - out.address;
  }
  return out;
}

static void find_stretches(struct stretches *out, const struct library *lib,
                           const struct plan *plan)
{
  const struct bitmap *p = &plan->pointers;
  const uint64_t skew = lib->note.data % PAGE;
  const size_t n = (size_t)((skew + plan->size + PAGE - 1) / PAGE);
  unsigned char *written = xalloc(n);
  for (size_t i = bitmap_next(p, 0); i < p->n;) {
    const size_t page = (skew + i * lib->form.word) / PAGE;
    written[page] = 1;
    i = bitmap_next(p, ((page + 1) * PAGE - skew + lib->form.word - 1) / lib->form.word);
  }
  const size_t unit = lib->machine->largest_page ? lib->machine->largest_page / PAGE : 1;
  stretches_find(out, written, n, unit, lib->note.data / PAGE % unit);
  free(written);
}

/* n bits from the one with that number on. */
static uint64_t bits_from(const struct bitmap *b, size_t i, size_t n)
{
  const size_t last = b->n / 64;
  uint64_t bits = i / 64 <= last ? b->at[i / 64] >> i % 64 : 0;
  if (i % 64 && i / 64 < last)
    bits |= b->at[i / 64 + 1] << (64 - i % 64);
  return bits & ~(uint64_t)0 >> (64 - n);
}

/* The RELR words (gABI) for pointers in words [from, to): the address of one, then bitmaps of the
 * 8 * word - 1 words that follow. */
static void put_relr(struct table *t, const struct library *lib, const struct bitmap *p,
                     size_t from, size_t to)
{
  const size_t bits = 8 * lib->form.word - 1;
  for (size_t i = bitmap_next(p, from); i < to; i = bitmap_next(p, i)) {
    put_pointer(&t->bytes, lib->form, lib->note.data + i++ * lib->form.word);
    t->n_pointers++;
    for (uint64_t map; i < to && (map = bits_from(p, i, to - i < bits ? to - i : bits));
         i += bits) {
      put_pointer(&t->bytes, lib->form, map << 1 | 1);
      t->n_pointers += (uint64_t)__builtin_popcountll(map);
    }
  }
}

/* The words of one stretch after the other's; what comes with them is stored behind. */
static void place_pointers(struct table *t, const struct library *lib, const struct plan *plan)
{
  struct stretches found = {0};
  struct bytes list = {0};
  find_stretches(&found, lib, plan);
  t->relr = t->bytes.n;
  for (size_t i = 0, word = 0; i < found.list.n; i++) {
    struct urf_stretch stretch = stretch_of(lib, plan, &found.list.at[i]);
    const uint64_t end = stretch.address + stretch.size - lib->note.data;
    const size_t next = end < plan->size ? (size_t)end / lib->form.word : plan->pointers.n;
    const size_t before = t->bytes.n;
    put_relr(t, lib, &plan->pointers, word, next);
    word = next;
    stretch.relr_size = t->bytes.n - before;
    put_bytes(&list, &stretch, sizeof stretch);
  }
  t->relr_size = t->bytes.n - t->relr;
  align_to(&t->bytes, 8);
  t->stretches = t->bytes.n;
  t->n_stretches = found.list.n;
  put_bytes(&t->bytes, list.at, list.n);
  free(list.at);
  free(found.list.at);
}

static uint32_t put_string(struct bytes *strings, const char *s)
{
  size_t n = strlen(s) + 1;
  for (size_t at = 0; at + n <= strings->n; at += strlen((char *)strings->at + at) + 1)
    if (strcmp((char *)strings->at + at, s) == 0)
      return (uint32_t)at;
  put_bytes(strings, s, n);
  return (uint32_t)(strings->n - n);
}

/* The words of each import that the loader writes, one import's behind the other's. */
struct words {
  uint64_t *offset;
  size_t *end; /* of each import's in offset; where the next one's begin */
};

static void words_init(struct words *w, const struct plan *plan)
{
  size_t n = 0, *next = xalloc(plan->imports.n * sizeof *next);
  *w = (struct words){NULL, xalloc(plan->imports.n * sizeof *w->end)};
  for (size_t i = 0; i < plan->sites.n; i++)
    if (is_bound(&plan->sites.at[i]))
      w->end[plan->sites.at[i].import]++;
  for (size_t i = 0; i < plan->imports.n; i++) {
    next[i] = n;
    n = w->end[i] += n;
  }
  w->offset = xalloc(n * sizeof *w->offset);
  for (size_t i = 0; i < plan->sites.n; i++)
    if (is_bound(&plan->sites.at[i]))
      w->offset[next[plan->sites.at[i].import]++] = plan->sites.at[i].offset;
  free(next);
}

static void words_free(struct words *w)
{
  free(w->offset);
  free(w->end);
}

static void place_odd(struct table *t, const struct plan *plan)
{
  uint64_t at = 0;
  t->odd = t->bytes.n;
  for (size_t i = 0; i < plan->sites.n; i++) {
    const struct site *s = &plan->sites.at[i];
    if (!is_odd(s))
      continue;
    put_uleb(&t->bytes, s->offset - at);
    at = s->offset;
    t->n_odd++;
  }
  t->odd_size = t->bytes.n - t->odd;
}

static void place_rotated(struct table *t, const struct plan *plan)
{
  uint64_t at = 0;
  t->rotated = t->bytes.n;
  for (size_t i = 0; i < plan->sites.n; i++) {
    const struct site *s = &plan->sites.at[i];
    if (s->kind != SITE_POINTER || !s->rotated)
      continue;
    put_uleb(&t->bytes, s->offset - at);
    put_uleb(&t->bytes, s->rotated);
    at = s->offset;
    t->n_rotated++;
  }
  t->rotated_size = t->bytes.n - t->rotated;
}

static uint64_t put_words(struct table *t, const uint64_t *offset, size_t n)
{
  for (size_t i = 0; i < n; i++)
    put_uleb(&t->bytes, offset[i] - (i ? offset[i - 1] : 0));
  return n;
}

/* Import records first, as they must be aligned; their lists and names are filled in behind. */
static void place_imports(struct table *t, const struct plan *plan)
{
  struct bytes strings = {0};
  struct words words;
  LIST(struct urf_import) list = {0};
  words_init(&words, plan);
  put_string(&strings, "");
  for (size_t i = 0; i < plan->imports.n; i++) {
    const struct import *m = &plan->imports.at[i];
    const size_t first = i ? words.end[i - 1] : 0, n = words.end[i] - first;
    if (!n && !is_condition(m->kind))
      continue;
    struct urf_import *import = PUSH(&list);
    *import = (struct urf_import){.kind = m->kind, .addend = m->addend, .slot = m->slot};
    import->sites = t->bytes.n;
    t->n_import_sites += put_words(t, words.offset + first, n);
    import->sites_size = t->bytes.n - import->sites;
    import->name = put_string(&strings, m->name);
    import->version = put_string(&strings, m->version);
    import->module = put_string(&strings, m->module);
  }
  for (size_t i = 0; i < list.n; i++) {
    list.at[i].name += (uint32_t)t->bytes.n;
    list.at[i].version += (uint32_t)t->bytes.n;
    list.at[i].module += (uint32_t)t->bytes.n;
  }
  put_bytes(&t->bytes, strings.at, strings.n);
  align_to(&t->bytes, 8);
  t->imports = t->bytes.n;
  t->n_imports = list.n;
  put_bytes(&t->bytes, list.at, list.n * sizeof *list.at);
  free(list.at);
  free(strings.at);
  words_free(&words);
}

/* The way back, see struct urf_fallback. */

static int by_offset(const void *a, const void *b)
{
  const struct site *x = a, *y = b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Symbolic words that init has changed. */
static void place_shadows(struct table *t, const struct library *lib, const struct plan *plan,
                          struct urf_fallback *f)
{
  LIST(int64_t) in_place = {0};
  uint64_t at = lib->note.data;
  f->sites = t->bytes.n;
  for (size_t i = 0; i < lib->slots.n; i++) {
    const struct slot *slot = &lib->slots.at[i];
    const struct site key = {.offset = (size_t)(slot->address - lib->note.data)};
    const struct site *site = plan->sites.n ? bsearch(&key, plan->sites.at, plan->sites.n,
                                                      sizeof *plan->sites.at, by_offset)
                                            : NULL;
    if (slot->kind != SLOT_SYMBOL || (site && site->by_ldso))
      continue;
    *PUSH(&t->shadowed) = slot->address;
    *PUSH(&in_place) = lib->machine->in_place ? slot->addend : 0;
    put_uleb(&t->bytes, slot->address - at);
    at = slot->address;
  }
  f->sites_size = t->bytes.n - f->sites;
  align_to(&t->bytes, 8);
  f->shadows = t->shadows = t->bytes.n;
  f->n_shadows = t->shadowed.n;
  for (size_t i = 0; i < t->shadowed.n; i++)
    put_pointer(&t->bytes, lib->form, (uint64_t)in_place.at[i]);
  free(in_place.at);
}

static void place_fallback(struct table *t, const struct library *lib, const struct plan *plan)
{
  struct urf_fallback f = {0};
  if (!plan->fallback)
    return;
  place_shadows(t, lib, plan, &f);
  align_to(&t->bytes, 8);
  f.calls = t->bytes.n;
  f.n_calls = plan->calls.n;
  put_bytes(&t->bytes, plan->calls.at, plan->calls.n * sizeof *plan->calls.at);
  t->fallback = t->bytes.n;
  put_bytes(&t->bytes, &f, sizeof f);
}

void place(struct table *t, const struct library *lib, const struct plan *plan)
{
  *t = (struct table){0};
  place_pointers(t, lib, plan);
  place_odd(t, plan);
  place_rotated(t, plan);
  place_imports(t, plan);
  t->protections = t->bytes.n;
  t->n_protections = plan->protections.n;
  put_bytes(&t->bytes, plan->protections.at, plan->protections.n * sizeof *plan->protections.at);
  place_fallback(t, lib, plan);
  t->recipe = t->bytes.n;
  t->recipe_size = plan->recipe.n;
  put_bytes(&t->bytes, plan->recipe.at, plan->recipe.n);
  align_to(&t->bytes, 8);
}

void table_free(struct table *t)
{
  free(t->bytes.at);
  free(t->shadowed.at);
  *t = (struct table){0};
}

/* reading it */

struct reader {
  struct plan *plan;
  const struct library *lib;
  const unsigned char *at, *end;
  bool bad;
};

static void read_plain(struct reader *r, uint64_t offset)
{
  const unsigned word = r->lib->form.word;
  if (r->plan->size < word || offset > r->plan->size - word || offset % word)
    r->bad = true;
  else
    bitmap_set(&r->plan->pointers, offset / word, true);
}

static void read_pointer(struct reader *r, uint64_t offset, unsigned rotated)
{
  const struct form form = r->lib->form;
  const unsigned word = form.word;
  if (r->plan->size < word || offset > r->plan->size - word) {
    r->bad = true;
    return;
  }
  *PUSH(&r->plan->sites) =
      (struct site){.offset = offset,
                    .size = word,
                    .kind = SITE_POINTER,
                    .value = rotate_left(get_word(r->plan->image + offset, form), word, rotated),
                    .rotated = rotated};
}

static void read_pointers(struct reader *r)
{
  const struct form form = r->lib->form;
  const unsigned word = form.word;
  uint64_t next = 0;
  for (; r->end - r->at >= (ptrdiff_t)word; r->at += word) {
    uint64_t entry = get_word(r->at, form);
    if (!(entry & 1)) {
      read_plain(r, entry - r->lib->note.data);
      next = entry + word;
      continue;
    }
    uint64_t address = next;
    for (entry >>= 1; entry; entry >>= 1, address += word)
      if (entry & 1)
        read_plain(r, address - r->lib->note.data);
    next += (uint64_t)(8 * word - 1) * word;
  }
}

static uint64_t read_uleb(struct reader *r)
{
  uint64_t n;
  if (get_uleb(&r->at, r->end, &n))
    return n;
  r->bad = true;
  r->at = r->end;
  return 0;
}

static void read_imports(struct reader *r)
{
  const struct urf_note *note = &r->lib->note;
  const char *table = (const char *)r->lib->table;
  for (uint64_t i = 0; i < note->n_imports; i++) {
    struct urf_import m;
    memcpy(&m, table + note->imports + i * sizeof m, sizeof m);
    *PUSH(&r->plan->imports) = (struct import){.name = xstrdup(table + m.name),
                                               .version = xstrdup(table + m.version),
                                               .module = xstrdup(table + m.module),
                                               .kind = m.kind,
                                               .addend = m.addend,
                                               .slot = m.slot};
    uint64_t offset = 0;
    r->at = r->lib->table + m.sites;
    r->end = r->at + m.sites_size;
    while (r->at < r->end) {
      offset += read_uleb(r);
      if (r->plan->size < r->lib->form.word || offset > r->plan->size - r->lib->form.word)
        r->bad = true;
      else
        *PUSH(&r->plan->sites) =
            (struct site){.offset = offset,
                          .size = r->lib->form.word,
                          .kind = SITE_IMPORT,
                          .import = (size_t)i,
                          .value = get_word(r->plan->image + offset, r->lib->form)};
    }
  }
}

void recipe_each(const char *recipe, size_t size,
                 void (*f)(void *context, const char *word, const char *argument), void *context)
{
  char word[16];
  for (size_t at = 0; at < size;) {
    size_t n = strnlen(recipe + at, size - at);
    const char *space = memchr(recipe + at, ' ', n);
    if (n == size - at || !space || space - (recipe + at) >= (ptrdiff_t)sizeof word)
      return;
    snprintf(word, sizeof word, "%.*s", (int)(space - (recipe + at)), recipe + at);
    f(context, word, space + 1);
    at += n + 1;
  }
}

static void read_recipe_line(void *context, const char *word, const char *argument)
{
  struct reader *r = context;
  size_t offset = 0, size = r->lib->form.word;
  int n = sscanf(argument, "%zx %zx", &offset, &size);
  static const struct {
    const char *word;
    int numbers;
    enum kind kind;
  } words[] = {{"keep", 2, SITE_KEEP},
               {"zero", 2, SITE_ZERO},
               {"rethaw", 2, SITE_RETHAW},
               {"dead", 1, SITE_DEAD}};
  size_t i = 0;
  while (i < sizeof words / sizeof *words && strcmp(words[i].word, word) != 0)
    i++;
  if (i == sizeof words / sizeof *words)
    return;
  if (n != words[i].numbers || offset > r->plan->size || size > r->plan->size - offset)
    r->bad = true;
  else if (words[i].kind == SITE_KEEP)
    *PUSH(&r->plan->keeps) = (struct range){offset, size};
  else
    *PUSH(&r->plan->sites) = (struct site){.offset = offset, .size = size, .kind = words[i].kind};
}

/* What the dynamic linker still does in the region. */
static void read_slots(struct reader *r)
{
  for (size_t i = 0; i < r->lib->slots.n; i++) {
    const struct slot *slot = &r->lib->slots.at[i];
    uint64_t offset = slot->address - r->lib->note.data;
    if (r->plan->size < r->lib->form.word || offset > r->plan->size - r->lib->form.word)
      continue;
    struct site s = {.offset = offset, .size = r->lib->form.word, .by_ldso = true};
    if (slot->kind == SLOT_SYMBOL) {
      s.kind = SITE_IMPORT;
      s.import = r->plan->imports.n;
      *PUSH(&r->plan->imports) =
          (struct import){.name = xstrdup(slot->symbol),
                          .version = xstrdup(slot->version),
                          .module = xstrdup(""),
                          .kind = URF_IMPORT_SYMBOL,
                          .addend = slot->addend,
                          .slot = library_slot(r->lib, slot->symbol, slot->version)};
    }
    *PUSH(&r->plan->sites) = s;
  }
}

int place_read(struct plan *plan, struct library *frozen, struct error *e)
{
  const struct urf_note *note = &frozen->note;
  struct reader r = {.plan = plan, .lib = frozen};
  *plan = (struct plan){.size = frozen->region_size, .align = note->align};
  bitmap_init(&plan->pointers, (plan->size + frozen->form.word - 1) / frozen->form.word);
  plan_make_image(plan, frozen->form);
  memcpy(plan->image, frozen->data, plan->size);
  free(frozen->data);
  frozen->data = NULL;
  r.at = frozen->table + note->relr;
  r.end = r.at + note->relr_size;
  read_pointers(&r);
  r.at = frozen->table + note->odd;
  r.end = r.at + note->odd_size;
  for (uint64_t offset = 0; r.at < r.end;)
    read_pointer(&r, offset += read_uleb(&r), 0);
  r.at = frozen->table + note->rotated;
  r.end = r.at + note->rotated_size;
  for (uint64_t offset = 0; r.at < r.end;) {
    offset += read_uleb(&r);
    read_pointer(&r, offset, (unsigned)read_uleb(&r) % (8 * frozen->form.word));
  }
  read_imports(&r);
  recipe_each((const char *)frozen->table + note->recipe, note->recipe_size, read_recipe_line, &r);
  read_slots(&r);
  plan_sort(plan);
  return r.bad ? fail(e, REFUSED, "%s: its table is damaged", frozen->path) : 0;
}
