/* The library's own symbols that another module of a process may have as well (a preloaded function, a
 * program's copy of a variable, a C++ class in two libraries): the live library then uses that one,
 * and a frozen pointer has to do the same, or the load has to fail. */

#include <stdlib.h>

#include "classify.h"

struct owns {
  const struct library *lib;
  uint64_t *at; /* where it is, per symbol; of an IFUNC what it chose, 0 when that is not known */
  uint64_t *reach; /* the highest end of this one and those before it */
  bool *wanted;    /* a frozen pointer is about it */
};

static bool in_region(const struct library *lib, const struct own *own)
{
  return own->value - lib->note.data < lib->region_size;
}

static void owns_init(struct owns *o, struct context *x)
{
  const struct library *lib = x->lib;
  const size_t n = lib->owns.n;
  *o = (struct owns){lib, xalloc(n * sizeof *o->at), xalloc(n * sizeof *o->reach),
                     xalloc(n * sizeof *o->wanted)};
  for (size_t i = 0; i < n; i++) {
    const struct own *own = &lib->owns.at[i];
    o->at[i] = own->value;
    if (own->kind == OWN_IFUNC) {
      o->at[i] = capture_resolve(&x->runs[0], own->name, "", own->slot, false) - x->runs[0].bias;
      if (!in_image(x, o->at[i]))
        o->at[i] = 0;
    }
    o->reach[i] = own->value + own->size;
    if (i && o->reach[i - 1] > o->reach[i])
      o->reach[i] = o->reach[i - 1];
  }
}

static void owns_free(struct owns *o)
{
  free(o->at);
  free(o->reach);
  free(o->wanted);
}

/* In a library that is always at one address pointers are not known: any symbol may be meant. */
static bool is_wanted(const struct owns *o, const struct context *x, size_t i)
{
  return o->wanted[i] || x->plan->fixed || own_is_variable(o->lib, &o->lib->owns.at[i]);
}

/* Whether a pointer with that address may be about it; one past the end of an object is still its. */
static bool is_about(const struct own *own, uint64_t address)
{
  if (own->kind == OWN_OBJECT)
    return address - own->value <= own->size;
  return own->kind == OWN_FUNCTION && (address == own->value || address - own->value < own->size);
}

/* The number of symbols that it may be about, at most room of them, and which: in found. */
static size_t find(const struct owns *o, uint64_t address, size_t *found, size_t room)
{
  const struct library *lib = o->lib;
  size_t n = 0;
  for (size_t i = COUNT_BELOW(&lib->owns, value, address + 1);
       i && o->reach[i - 1] >= address && n < room; i--)
    if (is_about(&lib->owns.at[i - 1], address))
      found[n++] = i - 1;
  return n;
}

/* The library reaches a symbol that it has no other name for by this one, so a pointer to it is what
 * the name means: unless it was compiled to take for granted that nothing preempts its symbols. */
static bool follows(const struct owns *o, const struct site *s, size_t own)
{
  const struct own *symbol = &o->lib->owns.at[own];
  const uint64_t by = s->value - symbol->value;
  return !symbol->twin && symbol->slot && !in_region(o->lib, symbol) && !s->rotated &&
         !s->by_ldso && (!by || (symbol->kind == OWN_OBJECT && by < symbol->size));
}

/* Whether the pointer has become an import. */
static bool look_at(struct owns *o, struct context *x, struct site *s)
{
  enum { ROOM = 64 };
  const uint64_t address = s->value & ADDRESS_MASK;
  size_t found[ROOM], n = find(o, address, found, ROOM);
  for (size_t i = 0; i < o->lib->owns.n && o->lib->n_ifuncs; i++)
    o->wanted[i] |= o->lib->owns.at[i].kind == OWN_IFUNC && o->at[i] == address;
  if (n == 1 && follows(o, s, found[0])) {
    const struct own *own = &o->lib->owns.at[found[0]];
    s->kind = SITE_IMPORT;
    s->import = new_import(x, own->name, "", "", URF_IMPORT_FOLLOW, (int64_t)own->value);
    x->plan->imports.at[s->import].slot = own->slot;
    return true;
  }
  while (n)
    o->wanted[found[--n]] = true;
  return false;
}

/* Nearly all pointers lead behind all that has a name. */
static uint64_t last_name(const struct owns *o)
{
  const size_t n = o->lib->owns.n;
  uint64_t last = o->reach[n - 1];
  for (size_t i = 0; i < n; i++)
    last = o->at[i] > last ? o->at[i] : last;
  return last;
}

static void look_at_plain(struct owns *o, struct context *x)
{
  struct plan *plan = x->plan;
  const uint64_t last = last_name(o);
  for (size_t i = bitmap_next(&plan->pointers, 0); i < plan->pointers.n;
       i = bitmap_next(&plan->pointers, i + 1)) {
    struct site s = {.offset = i * x->word, .size = x->word, .kind = SITE_POINTER};
    s.value = get_word(plan->image + s.offset, x->form);
    if ((s.value & ADDRESS_MASK) > last || !look_at(o, x, &s))
      continue;
    bitmap_set(&plan->pointers, i, false);
    *PUSH(&plan->sites) = s;
  }
}

void name_own_symbols(struct context *x)
{
  struct owns o;
  owns_init(&o, x);
  for (size_t i = 0; i < x->plan->sites.n && o.lib->owns.n; i++)
    if (x->plan->sites.at[i].kind == SITE_POINTER)
      (void)look_at(&o, x, &x->plan->sites.at[i]);
  if (o.lib->owns.n)
    look_at_plain(&o, x);
  for (size_t i = 0; i < o.lib->owns.n; i++) {
    const struct own *own = &o.lib->owns.at[i];
    if (!is_wanted(&o, x, i) || !o.at[i])
      continue;
    size_t import = new_import(x, own->name, "", "", URF_IMPORT_OWN, (int64_t)o.at[i]);
    x->plan->imports.at[import].slot = own->slot;
  }
  owns_free(&o);
}
