/* What the words that differ between the runs are.
 *
 * A word that holds an address of a thing (the library, another module) differs between two runs by
 * that thing's displacement, so the lowest byte that differs in it is the lowest byte that differs
 * in the displacements.  Bytes are looked at in this order: on a big endian machine from the last of the
 * region to the first.  Together with the first byte that is not explained yet this gives the one
 * place where such a word can start, aligned or not; then all of its bits have to agree, in every
 * run.  Bits above and below the address itself (tags) are the same in all runs and stay.
 *
 * What no rule explains is a finding.  Nothing here is a matter of likelihood. */

#include <stdlib.h>
#include <string.h>

#include "classify.h"

uint64_t value_in(const struct context *x, size_t run, size_t at)
{
  return region_word(&x->runs[run].region, at);
}

unsigned lowest_difference(const uint64_t *v, size_t n)
{
  uint64_t bits = 0;
  for (size_t i = 1; i < n; i++)
    bits |= v[i] ^ v[0];
  return bits ? (unsigned)__builtin_ctzll(bits) / 8 : sizeof bits;
}

/* Whether none of the bytes is explained yet. */
static bool is_left(const struct context *x, size_t start, size_t size)
{
  return x->down ? start + size <= x->done : start >= x->done;
}

/* The next of the sites that were there before. */
static const struct site *fixed_ahead(const struct context *x)
{
  if (x->down)
    return x->next ? &x->plan->sites.at[x->next - 1] : NULL;
  return x->next < x->fixed ? &x->plan->sites.at[x->next] : NULL;
}

bool is_free(const struct context *x, size_t start, size_t size)
{
  if (size > x->plan->size || start > x->plan->size - size || !is_left(x, start, size))
    return false;
  const struct site *s = fixed_ahead(x);
  return !s || (x->down ? s->offset + s->size <= start : start + size <= s->offset);
}

bool word_of(const struct context *x, size_t d, unsigned low, size_t *start)
{
  const size_t back = x->down ? x->word - 1 - low : low;
  *start = d - back;
  return low < x->word && back <= d && is_free(x, *start, x->word);
}

static void is_explained(struct context *x, size_t start, size_t size)
{
  if (x->down)
    x->done = start < x->done ? start : x->done;
  else
    x->done = start + size > x->done ? start + size : x->done;
}

void add_site(struct context *x, struct site s)
{
  *PUSH(&x->plan->sites) = s;
  is_explained(x, s.offset, s.size);
}

bool in_image(const struct context *x, uint64_t address)
{
  address &= ADDRESS_MASK;
  return address >= x->lib->lo && address <= x->lib->hi;
}

const struct mapping *mapping_of(const struct capture *c, uint64_t address)
{
  for (size_t i = 0; i < c->mappings.n; i++)
    if (address >= c->mappings.at[i].lo && address < c->mappings.at[i].hi)
      return &c->mappings.at[i];
  return NULL;
}

/* the rules, in order; each returns whether it explained the byte at d */

/* Where in the image the word at start leads, rotated to the left by so many bits. */
static bool leads_into_image(const struct context *x, size_t start, unsigned by, uint64_t *target)
{
  if (x->plan->fixed) /* nothing tells a pointer from a number, and nothing has to */
    return false;
  *target = rotate_left(value_in(x, 0, start), x->word, by) - x->runs[0].bias;
  for (size_t r = 1; r < x->n; r++)
    if (rotate_left(value_in(x, r, start), x->word, by) - x->runs[r].bias != *target)
      return false;
  return in_image(x, *target);
}

static void add_pointer(struct context *x, size_t start, uint64_t target)
{
  put_word(x->plan->image + start, x->form, target);
  if ((x->lib->note.data | start) % x->word) {
    add_site(
        x, (struct site){.offset = start, .size = x->word, .kind = SITE_POINTER, .value = target});
    return;
  }
  bitmap_set(&x->plan->pointers, start / x->word, true);
  is_explained(x, start, x->word);
}

static bool is_pointer(struct context *x, size_t d)
{
  uint64_t target;
  size_t start;
  if (x->plan->fixed || !word_of(x, d, x->low_byte, &start) ||
      !leads_into_image(x, start, 0, &target))
    return false;
  add_pointer(x, start, target);
  return true;
}

/* Whether the word with its lowest differing byte at d is at a place of its own in each run, plus an
 * offset below size; then it becomes an import. */
static bool is_at(struct context *x, size_t d, const uint64_t *place, uint64_t size,
                  enum urf_import_kind kind)
{
  size_t start;
  if (!word_of(x, d, lowest_difference(place, x->n), &start))
    return false;
  const uint64_t offset = value_in(x, 0, start) - place[0];
  for (size_t r = 0; r < x->n; r++)
    if (!place[r] || value_in(x, r, start) - place[r] != offset)
      return false;
  if (offset >= size)
    return false;
  size_t import = new_import(x, "", "", "", kind, (int64_t)offset);
  add_site(x,
           (struct site){.offset = start, .size = x->word, .kind = SITE_IMPORT, .import = import});
  put_word(x->plan->image + start, x->form, 0);
  return true;
}

/* What each C library has for a thread from pthread_self() on, at least, musl its errno and the list that a mutex which
 * was locked once still points to: a static program has but one such library. */
enum { THREAD_SIZE = 160 };

/* pthread_self() and thread-local variables of the thread that ran init: become those of the one that
 * loads the library. */
static bool is_thread(struct context *x, size_t d)
{
  uint64_t thread[MAX_RUNS], tls[MAX_RUNS];
  for (size_t r = 0; r < x->n; r++) {
    thread[r] = x->runs[r].thread;
    tls[r] = x->runs[r].tls;
  }
  if (x->lib->is_static && !tls[0]) /* it has nothing that would bind them */
    return false;
  return is_at(x, d, thread, x->lib->is_static ? THREAD_SIZE : 1, URF_IMPORT_THREAD) ||
         is_at(x, d, tls, x->runs[0].tls_size, URF_IMPORT_TLS);
}

static bool is_import(struct context *x, size_t d)
{
  for (size_t m = 0; m < x->runs[0].modules.n; m++) {
    size_t start;
    uint64_t offset;
    if (!leads_to_module(x, m, d, &start, &offset))
      continue;
    size_t import = import_of(x, m, start, offset);
    if (import == NO_IMPORT)
      return false;
    add_site(
        x, (struct site){.offset = start, .size = x->word, .kind = SITE_IMPORT, .import = import});
    put_word(x->plan->image + start, x->form, 0);
    return true;
  }
  return false;
}

/* The hash of an address that keeps all of its bits (CPython's), an address without the low bits that
 * are zero.  Only where a number of that size would stand: a window over parts of two others may
 * look like one. */
static bool is_rotated(struct context *x, size_t d)
{
  const size_t start = d - d % x->word;
  uint64_t target;
  if (!is_free(x, start, x->word))
    return false;
  for (unsigned by = 1; by < 8 * x->word; by++) {
    if (!leads_into_image(x, start, by, &target))
      continue;
    add_site(x, (struct site){.offset = start,
                              .size = x->word,
                              .kind = SITE_POINTER,
                              .value = target,
                              .rotated = by});
    put_word(x->plan->image + start, x->form, rotate_left(target, x->word, 8 * x->word - by));
    return true;
  }
  return false;
}

/* What a policy line keeps is no finding: the bytes of run 0, or the target its pointer has there.
 * What may or may not be a pointer there cannot be kept. */
static bool kept(struct context *x, const struct finding *f, size_t d)
{
  size_t from = x->down ? f->offset : d, end = x->down ? d + 1 : f->offset + f->size;
  if (f->cause == FIND_MIXED)
    return false;
  while (end > d + 1 && !regions_differ(x->runs, x->n, end - 1))
    end--;
  while (from < d && !regions_differ(x->runs, x->n, from))
    from++;
  struct policy_line *line = policy_on(x, ACT_KEEP, from, end - from);
  if (!line)
    return false;
  line->used = true;
  struct site s = {.offset = f->offset, .size = f->size, .kind = SITE_KEEP};
  if (f->cause == FIND_MOVES && value_in(x, 0, f->offset)) {
    s.kind = SITE_POINTER;
    s.value = value_in(x, 0, f->offset) - x->runs[0].bias;
    put_word(x->plan->image + f->offset, x->form, s.value);
  }
  add_site(x, s);
  return true;
}

static void refuse(struct context *x, size_t d)
{
  struct finding f = finding_at(x, d);
  if (kept(x, &f, d))
    return;
  f.stuck = f.cause == FIND_MIXED && policy_on(x, ACT_KEEP, f.offset, f.size);
  *PUSH(&x->plan->findings) = f;
  is_explained(x, f.offset, f.size);
}

/* words that the dynamic linker writes */

void keep_slot(struct context *x, struct site s)
{
  const struct library *lib = x->lib;
  unsigned char *at = x->plan->image + s.offset;
  s.size = x->word;
  s.by_ldso = true;
  memset(at, 0, x->word);
  if (s.offset + x->word <= lib->data_size)
    memcpy(at, lib->data + s.offset, x->word);
  add_site(x, s);
}

/* A symbol's word that init left alone stays the dynamic linker's, and so does what it computes. */
static void look_at_slot(struct context *x, const struct slot *slot)
{
  size_t at = slot->address - x->lib->note.data;
  if (slot->kind == SLOT_RELATIVE || at + x->word > x->plan->size || is_settled(x, at, x->word))
    return;
  if (slot->kind == SLOT_OTHER) {
    keep_slot(x, (struct site){.offset = at,
                               .kind = SITE_POINTER,
                               .value = value_in(x, 0, at) - x->runs[0].bias});
    return;
  }
  for (size_t r = 0; r < x->n; r++) {
    uint64_t symbol = capture_resolve(&x->runs[r], slot->symbol, slot->version,
                                      library_slot(x->lib, slot->symbol, slot->version), false);
    if (value_in(x, r, at) != symbol + (uint64_t)slot->addend)
      return;
  }
  size_t import = new_import(x, slot->symbol, slot->version, "", URF_IMPORT_SYMBOL, slot->addend);
  keep_slot(x, (struct site){.offset = at, .kind = SITE_IMPORT, .import = import});
}

static int by_offset(const void *a, const void *b)
{
  const struct site *x = a, *y = b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int compare_findings(const void *a, const void *b)
{
  const struct finding *x = a, *y = b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

void plan_sort(struct plan *plan)
{
  sort(plan->sites.at, plan->sites.n, sizeof *plan->sites.at, by_offset);
}

/* Those that a policy line has made pointers are like the others, now that none can come to lie over
 * them. */
static void gather_pointers(struct context *x)
{
  struct plan *plan = x->plan;
  size_t left = 0;
  for (size_t i = 0; i < plan->sites.n; i++) {
    const struct site s = plan->sites.at[i];
    if (s.kind == SITE_POINTER && !s.rotated && !s.by_ldso && s.size == x->word &&
        (x->lib->note.data | s.offset) % x->word == 0)
      bitmap_set(&plan->pointers, s.offset / x->word, true);
    else
      plan->sites.at[left++] = s;
  }
  plan->sites.n = left;
}

/* the bytes that differ, from the first to the last */

/* The site that was there before, with the byte or beyond it. */
static const struct site *next_fixed(struct context *x, size_t d)
{
  const struct site *s;
  while ((s = fixed_ahead(x)) && (x->down ? s->offset > d : s->offset + s->size <= d))
    x->next += x->down ? (size_t)-1 : 1;
  return s;
}

static bool has_byte(const struct site *s, size_t d)
{
  return s && s->offset <= d && d - s->offset < s->size;
}

static void explain(struct context *x, size_t d)
{
  const struct site *s = next_fixed(x, d);
  if (has_byte(s, d))
    is_explained(x, s->offset, s->size);
  else if (is_left(x, d, 1) && !is_pointer(x, d) && !is_thread(x, d) && !is_import(x, d) &&
           !is_dead(x, d) && !is_rotated(x, d))
    refuse(x, d);
}

/* What is_pointer says of the first byte that differs in a word, v of the runs, without another look at
 * them.  Most words that differ are such. */
static bool is_plain(struct context *x, size_t at, const uint64_t *v)
{
  const size_t d = at + (x->down ? x->word - 1 - x->low_byte : x->low_byte);
  const uint64_t target = v[0] - x->runs[0].bias;
  bool is = !x->plan->fixed && !((x->lib->note.data | at) % x->word) && x->low_byte < x->word &&
            is_left(x, at, x->word) && in_image(x, target);
  for (size_t r = 1; r < x->n && is; r++)
    is = v[r] - x->runs[r].bias == target;
  if (!is)
    return false;
  const struct site *s = next_fixed(x, d);
  if (has_byte(s, d) || !is_free(x, at, x->word))
    return false;
  add_pointer(x, at, target);
  return true;
}

/* The word at that offset, or what there is of it. */
static void explain_word(struct context *x, size_t at, size_t size,
                         const unsigned char *const *page)
{
  uint64_t v[MAX_RUNS], differ = 0;
  for (size_t r = 0; r < x->n; r++) {
    v[r] = get_word(page[r] + at % REGION_PAGE, x->form);
    differ |= v[r] ^ v[0];
  }
  if (!differ || is_plain(x, at, v))
    return;
  for (size_t i = 0; i < x->word; i++) {
    const size_t byte = x->down ? x->word - 1 - i : i;
    if (byte < size && differ >> 8 * i & 0xff && is_left(x, at + byte, 1))
      explain(x, at + byte);
  }
}

/* A page that is the same everywhere but for words that have moved: they are pointers, unless something
 * from outside the page has to do with it. */
static bool is_moved(struct context *x, size_t at)
{
  bool is = x->word == 8 && !x->form.swapped && !x->down && !x->plan->fixed &&
            x->low_byte < x->word && x->lib->note.data % 8 == 0 && x->done <= at &&
            x->plan->size - at >= REGION_PAGE;
  for (size_t r = 1; r < x->n && is; r++)
    is = region_kind(&x->runs[r].region, at) == PAGE_MOVED;
  const struct site *s = is ? next_fixed(x, at) : NULL;
  return is && (!s || s->offset >= at + REGION_PAGE);
}

static void explain_moved(struct context *x, size_t at)
{
  const uint64_t bias = x->runs[0].bias, lo = x->lib->lo, size = x->lib->hi - lo;
  unsigned char *page = x->plan->image + at;
  uint64_t *bits = x->plan->pointers.at + at / 8 / 64;
  for (size_t i = 0; i < REGION_PAGE / 8 / 64; i++) {
    uint64_t map = 0;
    for (size_t j = 0; j < 64; j++, page += 8) {
      const uint64_t v = get_word(page, native(8)), is = v - bias - lo <= size;
      put_word(page, native(8), v - (bias & -is));
      map |= is << j;
    }
    bits[i] = map;
    if (map)
      x->done = at + (i + 1) * 512 - 8 * (size_t)__builtin_clzll(map);
  }
}

static void explain_page(struct context *x, size_t at)
{
  const unsigned char *page[MAX_RUNS];
  const size_t end = x->plan->size - at < REGION_PAGE ? x->plan->size : at + REGION_PAGE;
  bool same = true;
  for (size_t r = 1; r < x->n && same; r++)
    same = region_kind(&x->runs[r].region, at) == PAGE_SAME;
  if (same)
    return;
  if (is_moved(x, at)) {
    explain_moved(x, at);
    return;
  }
  for (size_t r = 0; r < x->n; r++)
    page[r] = region_page(&x->runs[r].region, at, x->room + r * REGION_PAGE);
  const size_t n = (end - at + x->word - 1) / x->word;
  for (size_t i = 0; i < n; i++) {
    const size_t word = at + (x->down ? n - 1 - i : i) * x->word;
    explain_word(x, word, end - word, page);
  }
}

bool mapping_is_fixed(const struct capture *runs, size_t n, const struct mapping *m)
{
  const struct library *lib = runs[0].lib;
  const uint64_t kernel = lib->machine->kernel_page;
  if (strcmp(m->what, "[vsyscall]") == 0 || (kernel && m->lo == kernel) ||
      m->lo - (lib->lo + runs[0].bias) < lib->hi - lib->lo)
    return false;
  for (size_t r = 1; r < n; r++) {
    const struct mapping *other = mapping_of(&runs[r], m->lo);
    /* not where one part of the dynamic linker was and now another one is, by chance */
    if (!other || other->lo != m->lo || other->offset != m->offset ||
        strcmp(other->what, m->what) != 0)
      return false;
  }
  return true;
}

void plan_make_image(struct plan *plan, struct form form)
{
  const int status = region_init(&plan->whole, NULL, plan->size, form);
  plan->image = xcheck(status ? NULL : plan->whole.own);
  plan->whole.pointers = &plan->pointers;
}

void classify(struct plan *plan, const struct library *lib, struct capture *runs, size_t n,
              struct policy *policy)
{
  struct context x = {.plan = plan,
                      .lib = lib,
                      .runs = runs,
                      .n = n,
                      .policy = policy,
                      .word = lib->form.word,
                      .form = lib->form,
                      .down = is_big(lib->form),
                      .room = xalloc(n * REGION_PAGE)};
  uint64_t bias[MAX_RUNS];
  for (size_t r = 0; r < n; r++)
    bias[r] = runs[r].bias;
  x.low_byte = lowest_difference(bias, n);
  bitmap_init(&plan->pointers, (plan->size + lib->form.word - 1) / lib->form.word);
  plan_make_image(plan, lib->form);
  copy_sparse(plan->image, runs[0].region.own, plan->size);
  sort_policy(&x);
  apply_policy(&x);
  for (size_t i = 0; i < lib->slots.n; i++)
    look_at_slot(&x, &lib->slots.at[i]);
  plan_sort(plan);
  x.fixed = plan->sites.n;
  x.next = x.down ? x.fixed : 0;
  x.done = x.down ? plan->size : 0;
  const size_t pages = (plan->size + REGION_PAGE - 1) / REGION_PAGE;
  for (size_t i = 0; i < pages; i++)
    explain_page(&x, (x.down ? pages - 1 - i : i) * REGION_PAGE);
  gather_pointers(&x);
  plan_sort(plan);
  sort(plan->findings.at, plan->findings.n, sizeof *plan->findings.at, compare_findings);
  name_own_symbols(&x);
  plan_sort(plan);
  note_keeps(&x);
  for (size_t i = 0; i < runs[0].protections.n; i++)
    *PUSH(&plan->protections) = runs[0].protections.at[i];
  imports_free(&x);
  free(x.room);
  for (size_t action = 0; action < ACTIONS; action++)
    free(x.lines[action].list.at);
}

void plan_free(struct plan *plan)
{
  for (size_t i = 0; i < plan->imports.n; i++) {
    free(plan->imports.at[i].name);
    free(plan->imports.at[i].version);
    free(plan->imports.at[i].module);
    free(plan->imports.at[i].path);
  }
  free(plan->imports.at);
  free(plan->pointers.at);
  free(plan->sites.at);
  free(plan->findings.at);
  free(plan->plain.at);
  for (size_t i = 0; i < plan->tells.n; i++)
    free(plan->tells.at[i].what);
  free(plan->tells.at);
  free(plan->keeps.at);
  free(plan->calls.at);
  free(plan->protections.at);
  free(plan->recipe.at);
  free(plan->cpu_seen);
  region_free(&plan->whole);
  *plan = (struct plan){0};
}
