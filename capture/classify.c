/* What the words that differ between the runs are.
 *
 * A word that holds an address of a thing (the library, another module) differs between two runs by
 * that thing's displacement, so the lowest byte that differs in it is the lowest byte that differs
 * in the displacements.  Together with the first byte that is not explained yet this gives the one
 * place where such a word can start, aligned or not; then all of its bits have to agree, in every
 * run.  Bits above and below the address itself (tags) are the same in all runs and stay.
 *
 * What no rule explains is a finding.  Nothing here is a matter of likelihood. */

#include <stdlib.h>
#include <string.h>

#include "turf.h"

/* User space ends below this on every 64-bit machine with four levels of page tables (kernel,
 * Documentation/arch/x86/x86_64/mm.rst); what is above are tag bits. */
#define ADDRESS_MASK (((uint64_t)1 << 48) - 1)

/* One need of the library, or one export of a module, and its addresses in the runs. */
struct name {
  const char *name, *version;
  uint64_t *at, *held;
};

/* A place in another module that has been looked for: its import, or none. */
struct known {
  size_t module;
  uint64_t offset;                /* from the module's bias, tags included */
  size_t import;
};

struct context {
  struct plan *plan;
  const struct library *lib;
  struct capture *runs;
  size_t n;
  struct policy *policy;
  unsigned word, low_byte;        /* bytes of a pointer; the lowest that the biases differ in */
  LIST(struct name) needs;        /* of the library */
  LIST(struct name) ifuncs;       /* of all modules */
  LIST(struct known) known;
  size_t fixed;                   /* sites that were there before the first span */
  size_t next;                    /* the first of them that is not passed */
  size_t done;                    /* every byte before this one is explained */
};

#define NONE SIZE_MAX

static uint64_t value_in(const struct context *x, size_t run, size_t at)
{
  return get_word(x->runs[run].region + at, x->word);
}

/* The lowest byte in which n numbers differ. */
static unsigned lowest_difference(const uint64_t *v, size_t n)
{
  uint64_t bits = 0;
  for (size_t i = 1; i < n; i++)
    bits |= v[i] ^ v[0];
  return bits ? (unsigned)__builtin_ctzll(bits) / 8 : sizeof bits;
}

/* Whether a new word may stand there: inside the region, on nothing that is explained already. */
static bool is_free(const struct context *x, size_t start, size_t size)
{
  if (start < x->done || size > x->plan->size || start > x->plan->size - size)
    return false;
  return x->next == x->fixed || start + size <= x->plan->sites.at[x->next].offset;
}

static void add_site(struct context *x, struct site s)
{
  *PUSH(&x->plan->sites) = s;
  if (s.offset + s.size > x->done)
    x->done = s.offset + s.size;
}

/* policy */

/* The line with this action that has all of the bytes, or NULL. */
static struct policy_line *policy_on(const struct context *x, enum action action, size_t at,
                                     size_t size)
{
  for (size_t i = 0; x->policy && i < x->policy->lines.n; i++) {
    struct policy_line *l = &x->policy->lines.at[i];
    if (l->action == action && at >= l->range.offset &&
        at + size <= l->range.offset + l->range.size)
      return l;
  }
  return NULL;
}

static void clear_by_policy(struct context *x)
{
  for (size_t i = 0; x->policy && i < x->policy->lines.n; i++) {
    struct policy_line *l = &x->policy->lines.at[i];
    if (l->action != ACT_ZERO)
      continue;
    for (size_t r = 0; r < x->n; r++)
      for (size_t at = l->range.offset; at < l->range.offset + l->range.size; at++)
        l->used |= x->runs[r].region[at] != 0;
    add_site(x, (struct site){.offset = l->range.offset, .size = l->range.size, .kind = SITE_ZERO});
    memset(x->plan->image + l->range.offset, 0, l->range.size);
  }
}

/* imports */

static void resolve_all(const struct context *x, struct name *name, bool held)
{
  name->at = xalloc(x->n * sizeof *name->at);
  name->held = xalloc(x->n * sizeof *name->held);
  for (size_t r = 0; r < x->n; r++) {
    name->at[r] = capture_resolve(&x->runs[r], name->name, name->version, false);
    if (held && name->at[r])
      name->held[r] = capture_resolve(&x->runs[r], name->name, name->version, true);
  }
}

static void resolve_names(struct context *x)
{
  for (size_t i = 0; i < x->lib->needs.n; i++) {
    const struct need *need = &x->lib->needs.at[i];
    struct name *name = PUSH(&x->needs);
    *name = (struct name){need->name, need->version, NULL, NULL};
    resolve_all(x, name, true);
  }
  for (size_t m = 0; m < x->runs[0].modules.n; m++) {
    const struct exports *all = x->runs[0].modules.at[m].exports;
    for (size_t i = 0; all && i < all->list.n; i++) {
      const struct export *e = &all->list.at[i];
      if (e->kind != EXPORT_IFUNC)
        continue;
      struct name *name = PUSH(&x->ifuncs);
      *name = (struct name){e->name, e->standard ? e->version : "", NULL, NULL};
      resolve_all(x, name, false);
    }
  }
}

/* Whether the word at start holds the given addresses. */
static bool holds(const struct context *x, size_t start, const uint64_t *address, int64_t addend)
{
  for (size_t r = 0; r < x->n; r++)
    if (!address[r] || value_in(x, r, start) != address[r] + (uint64_t)addend)
      return false;
  return true;
}

static bool resolves_to(const struct context *x, size_t start, const char *name,
                        const char *version, int64_t addend)
{
  for (size_t r = 0; r < x->n; r++) {
    uint64_t at = capture_resolve(&x->runs[r], name, version, false);
    if (!at || value_in(x, r, start) != at + (uint64_t)addend)
      return false;
  }
  return true;
}

static size_t new_import(struct context *x, const char *name, const char *version,
                         const char *module, enum urf_import_kind kind, int64_t addend)
{
  for (size_t i = 0; i < x->plan->imports.n; i++) {
    const struct import *m = &x->plan->imports.at[i];
    if (m->kind == kind && m->addend == addend && strcmp(m->name, name) == 0 &&
        strcmp(m->version, version) == 0 && strcmp(m->module, module) == 0)
      return i;
  }
  *PUSH(&x->plan->imports) =
      (struct import){xstrdup(name), xstrdup(version), xstrdup(module), kind, addend};
  return x->plan->imports.n - 1;
}

static const char *soname(const struct module *m)
{
  const char *slash = strrchr(m->path, '/');
  return m->exports && *m->exports->soname ? m->exports->soname : slash ? slash + 1 : m->path;
}

static size_t underscores(const char *s)
{
  return strspn(s, "_");
}

/* Of two names for one address, the one that a reader of the library's source would expect. */
static bool is_better(const struct library *lib, const struct export *a, const struct export *b)
{
  bool a_needed = library_needs(lib, a->name, a->version);
  bool b_needed = library_needs(lib, b->name, b->version);
  if (a->value != b->value)
    return a->value > b->value;
  if (a_needed != b_needed)
    return a_needed;
  if (a->standard != b->standard)
    return a->standard;
  if (underscores(a->name) != underscores(b->name))
    return underscores(a->name) < underscores(b->name);
  int order = strcmp(a->name, b->name);
  return order ? order < 0 : strcmp(a->version, b->version) < 0;
}

/* The export at the offset, or the object around it; the best of several that the dynamic linker
 * also finds.  A function is meant only by its first byte. */
static size_t import_export(struct context *x, const struct module *m, size_t start,
                            uint64_t offset)
{
  const struct export *best = NULL;
  uint64_t target = offset & ADDRESS_MASK;
  for (size_t i = 0; m->exports && i < m->exports->list.n; i++) {
    const struct export *e = &m->exports->list.at[i];
    bool inside = e->kind == EXPORT_OBJECT && target - e->value < e->size;
    if (e->kind == EXPORT_IFUNC || (e->value != target && !inside) ||
        (best && !is_better(x->lib, e, best)))
      continue;
    if (resolves_to(x, start, e->name, e->version, (int64_t)(offset - e->value)))
      best = e;
  }
  return best ? new_import(x, best->name, best->version, soname(m), URF_IMPORT_SYMBOL,
                           (int64_t)(offset - best->value))
              : NONE;
}

static size_t import_name(struct context *x, const struct module *m, size_t start)
{
  for (size_t i = 0; i < x->needs.n; i++)
    if (holds(x, start, x->needs.at[i].at, 0))
      return new_import(x, x->needs.at[i].name, x->needs.at[i].version, soname(m),
                        URF_IMPORT_SYMBOL, 0);
  for (size_t i = 0; i < x->ifuncs.n; i++)
    if (holds(x, start, x->ifuncs.at[i].at, 0))
      return new_import(x, x->ifuncs.at[i].name, x->ifuncs.at[i].version, soname(m),
                        URF_IMPORT_SYMBOL, 0);
  return NONE;
}

static size_t import_held(struct context *x, const struct module *m, size_t start)
{
  for (size_t i = 0; i < x->needs.n; i++)
    if (holds(x, start, x->needs.at[i].held, 0))
      return new_import(x, x->needs.at[i].name, x->needs.at[i].version, soname(m),
                        URF_IMPORT_VALUE, 0);
  return NONE;
}

/* The word at start, known to lead to that offset of that module in every run. */
static size_t import_of(struct context *x, size_t module, size_t start, uint64_t offset)
{
  const struct module *m = &x->runs[0].modules.at[module];
  for (size_t i = 0; i < x->known.n; i++)
    if (x->known.at[i].module == module && x->known.at[i].offset == offset)
      return x->known.at[i].import;
  if (!x->needs.n && !x->ifuncs.n)
    resolve_names(x);
  size_t import = import_name(x, m, start);
  if (import == NONE)
    import = import_export(x, m, start, offset);
  if (import == NONE)
    import = import_held(x, m, start);
  *PUSH(&x->known) = (struct known){module, offset, import};
  return import;
}

/* The module in the other runs; the order of dl_iterate_phdr is that of loading. */
static const struct module *same_module(const struct context *x, size_t run, size_t module)
{
  const char *path = x->runs[0].modules.at[module].path;
  const struct capture *c = &x->runs[run];
  for (size_t i = 0; i < c->modules.n; i++)
    if (strcmp(c->modules.at[i].path, path) == 0)
      return &c->modules.at[i];
  return NULL;
}

/* The first byte of the word that leads into that module and has its lowest differing byte at d. */
static bool leads_to_module(const struct context *x, size_t module, size_t d, size_t *start,
                            uint64_t *offset)
{
  uint64_t bias[100];
  size_t n = x->n < 100 ? x->n : 100;
  for (size_t r = 0; r < n; r++) {
    const struct module *m = same_module(x, r, module);
    if (!m)
      return false;
    bias[r] = m->bias;
  }
  unsigned low = lowest_difference(bias, n);
  *start = d - low;
  if (low >= x->word || d < low || !is_free(x, *start, x->word))
    return false;
  *offset = value_in(x, 0, *start) - bias[0];
  for (size_t r = 1; r < n; r++)
    if (value_in(x, r, *start) - bias[r] != *offset)
      return false;
  const struct module *m = &x->runs[0].modules.at[module];
  uint64_t address = (*offset & ADDRESS_MASK) + m->bias;
  return address >= m->lo && address < m->hi;
}

/* the rules, in order; each returns whether it explained the byte at d */

static bool in_image(const struct context *x, uint64_t address)
{
  address &= ADDRESS_MASK;
  return address >= x->lib->lo && address <= x->lib->hi;
}

static bool is_pointer(struct context *x, size_t d)
{
  if (d < x->low_byte || !is_free(x, d - x->low_byte, x->word))
    return false;
  size_t start = d - x->low_byte;
  uint64_t target = value_in(x, 0, start) - x->runs[0].bias;
  for (size_t r = 1; r < x->n; r++)
    if (value_in(x, r, start) - x->runs[r].bias != target)
      return false;
  if (!in_image(x, target))
    return false;
  add_site(x, (struct site){.offset = start, .size = x->word, .kind = SITE_POINTER,
                            .value = target});
  put_word(x->plan->image + start, x->word, target);
  return true;
}

static bool is_import(struct context *x, size_t d)
{
  for (size_t m = 0; m < x->runs[0].modules.n; m++) {
    size_t start;
    uint64_t offset;
    if (!leads_to_module(x, m, d, &start, &offset))
      continue;
    size_t import = import_of(x, m, start, offset);
    if (import == NONE)
      return false;
    add_site(x, (struct site){.offset = start, .size = x->word, .kind = SITE_IMPORT,
                              .import = import});
    put_word(x->plan->image + start, x->word, 0);
    return true;
  }
  return false;
}

static const struct mapping *mapping_of(const struct capture *c, uint64_t address)
{
  for (size_t i = 0; i < c->mappings.n; i++)
    if (address >= c->mappings.at[i].lo && address < c->mappings.at[i].hi)
      return &c->mappings.at[i];
  return NULL;
}

/* Whether the word leads into the stack in every run; *below: to frames that init has left. */
static bool leads_to_stack(const struct context *x, size_t start, bool *below)
{
  *below = true;
  for (size_t r = 0; r < x->n; r++) {
    uint64_t v = value_in(x, r, start);
    const struct mapping *m = mapping_of(&x->runs[r], v);
    if (!m || strcmp(m->what, "[stack]") != 0)
      return false;
    *below &= v < x->runs[r].frame;
  }
  return true;
}

static bool is_dead(struct context *x, size_t d)
{
  uint64_t frame[100];
  for (size_t r = 0; r < x->n && r < 100; r++)
    frame[r] = x->runs[r].frame;
  unsigned low = lowest_difference(frame, x->n < 100 ? x->n : 100);
  size_t starts[] = {d - d % x->word, d - low};
  for (size_t i = 0; i < 2; i++) {
    bool below;
    if (starts[i] > d || d - starts[i] >= x->word || !is_free(x, starts[i], x->word) ||
        !leads_to_stack(x, starts[i], &below) || !below)
      continue;
    add_site(x, (struct site){.offset = starts[i], .size = x->word, .kind = SITE_DEAD});
    put_word(x->plan->image + starts[i], x->word, URF_DEAD);
    return true;
  }
  return false;
}

/* findings */

static bool all_in_image(const struct context *x, size_t start)
{
  for (size_t r = 0; r < x->n; r++)
    if (!in_image(x, value_in(x, r, start) - x->runs[r].bias))
      return false;
  return true;
}

/* Differs by the bias, its negative, or has been mixed with it bit by bit. */
static bool follows_base(const struct context *x, size_t start)
{
  bool plus = true, minus = true, mixed = true;
  uint64_t v0 = value_in(x, 0, start), b0 = x->runs[0].bias;
  for (size_t r = 1; r < x->n; r++) {
    uint64_t v = value_in(x, r, start), b = x->runs[r].bias;
    plus &= v - v0 == b - b0;
    minus &= v - v0 == b0 - b;
    mixed &= (v ^ v0) == (b ^ b0);
  }
  return plus || minus || mixed;
}

static enum cause cause_of_mapping(const struct context *x, uint64_t v, const struct mapping *m)
{
  if (v >= x->runs[0].host_lo && v < x->runs[0].host_hi)
    return FIND_MODULE;
  for (size_t i = 0; i < x->runs[0].modules.n; i++)
    if (v >= x->runs[0].modules.at[i].lo && v < x->runs[0].modules.at[i].hi)
      return FIND_MODULE;
  if (strcmp(m->what, "[stack]") == 0)
    return FIND_STACK;
  return strcmp(m->what, "[heap]") == 0 || !*m->what ? FIND_HEAP : FIND_MAPPING;
}

/* What a whole word that no rule explains looks like. */
static void describe(const struct context *x, struct finding *f)
{
  const struct mapping *m = mapping_of(&x->runs[0], value_in(x, 0, f->offset));
  f->cause = FIND_VARIES;
  if (all_in_image(x, f->offset)) {
    f->cause = FIND_MOVES;
    return;
  }
  for (size_t r = 1; r < x->n && m; r++) {
    const struct mapping *other = mapping_of(&x->runs[r], value_in(x, r, f->offset));
    if (!other || strcmp(other->what, m->what) != 0)
      m = NULL;
  }
  if (m) {
    uint64_t v = value_in(x, 0, f->offset);
    f->cause = cause_of_mapping(x, v, m);
    snprintf(f->what, sizeof f->what, "%s",
             v >= x->runs[0].host_lo && v < x->runs[0].host_hi ? "the host program" : m->what);
  } else if (follows_base(x, f->offset))
    f->cause = FIND_BASE;
}

static bool byte_differs(const struct context *x, size_t at)
{
  for (size_t r = 1; r < x->n; r++)
    if (x->runs[r].region[at] != x->runs[0].region[at])
      return true;
  return false;
}

/* To the half of the word that varies, when it is only one. */
static void narrow(const struct context *x, struct finding *f)
{
  unsigned half = f->size / 2;
  bool low = false, high = false;
  for (unsigned i = 0; i < half; i++) {
    low |= byte_differs(x, f->offset + i);
    high |= byte_differs(x, f->offset + half + i);
  }
  if (f->cause != FIND_VARIES || low == high)
    return;
  f->size = half;
  f->offset += low ? 0 : half;
}

/* The word around d: aligned when it can be, else one that leads into the image, else the bytes up
 * to the next thing that is explained. */
static struct finding finding_at(const struct context *x, size_t d)
{
  struct finding f = {.offset = d - d % x->word, .size = x->word};
  if (is_free(x, f.offset, f.size)) {
    describe(x, &f);
    if (f.cause != FIND_VARIES)
      return f;
  }
  for (size_t start = d >= x->word ? d - x->word + 1 : 0; start <= d; start++)
    if (is_free(x, start, x->word) && all_in_image(x, start))
      return (struct finding){.offset = start, .size = x->word, .cause = FIND_MOVES};
  if (is_free(x, f.offset, f.size)) {
    narrow(x, &f);
    return f;
  }
  f.offset = d;
  f.size = 0;
  do
    f.size++;
  while ((d + f.size) % x->word && is_free(x, d, f.size + 1) && byte_differs(x, d + f.size));
  f.cause = FIND_VARIES;
  return f;
}

/* What a policy line keeps is no finding: the bytes of run 0, or the target its pointer has there. */
static bool kept(struct context *x, const struct finding *f, size_t d)
{
  size_t end = f->offset + f->size;
  while (end > d + 1 && !byte_differs(x, end - 1))
    end--;
  struct policy_line *line = policy_on(x, ACT_KEEP, d, end - d);
  if (!line)
    return false;
  line->used = true;
  struct site s = {.offset = f->offset, .size = f->size, .kind = SITE_KEEP};
  if (f->cause == FIND_MOVES) {
    s.kind = SITE_POINTER;
    s.value = value_in(x, 0, f->offset) - x->runs[0].bias;
    put_word(x->plan->image + f->offset, x->word, s.value);
  }
  add_site(x, s);
  return true;
}

static void refuse(struct context *x, size_t d)
{
  struct finding f = finding_at(x, d);
  if (kept(x, &f, d))
    return;
  *PUSH(&x->plan->findings) = f;
  x->done = f.offset + f.size;
}

/* words that the dynamic linker writes */

static void keep_slot(struct context *x, struct site s)
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
  if (slot->kind == SLOT_RELATIVE || at + x->word > x->plan->size ||
      policy_on(x, ACT_ZERO, at, x->word))
    return;
  if (slot->kind == SLOT_OTHER) {
    keep_slot(x, (struct site){.offset = at, .kind = SITE_POINTER,
                               .value = value_in(x, 0, at) - x->runs[0].bias});
    return;
  }
  for (size_t r = 0; r < x->n; r++) {
    uint64_t symbol = capture_resolve(&x->runs[r], slot->symbol, slot->version, false);
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

static void sort_sites(struct plan *plan)
{
  if (plan->sites.n)
    qsort(plan->sites.at, plan->sites.n, sizeof *plan->sites.at, by_offset);
}

static void explain_span(struct context *x, const struct span *span)
{
  for (size_t d = span->offset; d < span->offset + span->size;) {
    while (x->next < x->fixed && x->plan->sites.at[x->next].offset +
                                         x->plan->sites.at[x->next].size <= d)
      x->next++;
    const struct site *s = x->next < x->fixed ? &x->plan->sites.at[x->next] : NULL;
    if (s && s->offset <= d)
      x->done = s->offset + s->size;
    else if (d >= x->done && !is_pointer(x, d) && !is_import(x, d) && !is_dead(x, d))
      refuse(x, d);
    d = x->done > d ? x->done : d + 1;
  }
}

/* mappings that init made at an address of its choice: a pointer there is the same in every run */

static bool is_fixed(const struct context *x, const struct mapping *m)
{
  if (strcmp(m->what, "[vsyscall]") == 0)
    return false;
  for (size_t r = 1; r < x->n; r++) {
    const struct mapping *other = mapping_of(&x->runs[r], m->lo);
    if (!other || other->lo != m->lo || strcmp(other->what, m->what) != 0)
      return false;
  }
  return true;
}

static void look_for_pointers_to(struct context *x, const struct mapping *m)
{
  size_t site = 0;
  for (size_t at = 0; at + x->word <= x->plan->size; at += x->word) {
    uint64_t v = value_in(x, 0, at);
    if (v < m->lo || v >= m->hi)
      continue;
    while (site < x->plan->sites.n &&
           x->plan->sites.at[site].offset + x->plan->sites.at[site].size <= at)
      site++;
    if (site < x->plan->sites.n && x->plan->sites.at[site].offset < at + x->word)
      continue;
    struct finding *f = PUSH(&x->plan->findings);
    *f = (struct finding){.offset = at, .size = x->word, .cause = FIND_MAPPING};
    snprintf(f->what, sizeof f->what, "%.80s at a fixed address", m->what);
  }
}

static void free_names(struct name *names, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    free(names[i].at);
    free(names[i].held);
  }
  free(names);
}

void classify(struct plan *plan, const struct library *lib, struct capture *runs, size_t n,
              const struct spans *spans, struct policy *policy)
{
  struct context x = {.plan = plan, .lib = lib, .runs = runs, .n = n, .policy = policy,
                      .word = lib->word};
  uint64_t bias[100];
  for (size_t r = 0; r < n && r < 100; r++)
    bias[r] = runs[r].bias;
  x.low_byte = lowest_difference(bias, n < 100 ? n : 100);
  plan->image = xalloc(plan->size);
  memcpy(plan->image, runs[0].region, plan->size);
  clear_by_policy(&x);
  for (size_t i = 0; i < lib->slots.n; i++)
    look_at_slot(&x, &lib->slots.at[i]);
  sort_sites(plan);
  x.fixed = plan->sites.n;
  x.done = 0;
  for (size_t i = 0; i < spans->list.n; i++)
    explain_span(&x, &spans->list.at[i]);
  sort_sites(plan);
  for (size_t i = 0; i < runs[0].mappings.n; i++)
    if (is_fixed(&x, &runs[0].mappings.at[i]))
      look_for_pointers_to(&x, &runs[0].mappings.at[i]);
  for (size_t i = 0; policy && i < policy->lines.n; i++)
    if (policy->lines.at[i].action == ACT_KEEP && policy->lines.at[i].used)
      *PUSH(&plan->keeps) = policy->lines.at[i].range;
  for (size_t i = 0; i < runs[0].protections.n; i++)
    *PUSH(&plan->protections) = runs[0].protections.at[i];
  free_names(x.needs.at, x.needs.n);
  free_names(x.ifuncs.at, x.ifuncs.n);
  free(x.known.at);
}

void plan_free(struct plan *plan)
{
  for (size_t i = 0; i < plan->imports.n; i++) {
    free(plan->imports.at[i].name);
    free(plan->imports.at[i].version);
    free(plan->imports.at[i].module);
  }
  free(plan->imports.at);
  free(plan->sites.at);
  free(plan->findings.at);
  free(plan->keeps.at);
  free(plan->protections.at);
  free(plan->recipe.at);
  free(plan->image);
  *plan = (struct plan){0};
}
