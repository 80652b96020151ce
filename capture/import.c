/* The symbol that a pointer into another module means: one that the library itself imports, an
 * export at that address or around it, a function that the module chooses at load (IFUNC), or the
 * contents of a variable.  Where there is no symbol the module's build-id and an offset will do. */

#include <stdlib.h>
#include <string.h>

#include "classify.h"

static void resolve_all(const struct context *x, struct name *name, uint64_t slot, bool held)
{
  name->at = xalloc(x->n * sizeof *name->at);
  name->held = xalloc(x->n * sizeof *name->held);
  for (size_t r = 0; r < x->n; r++) {
    name->at[r] = capture_resolve(&x->runs[r], name->name, name->version, slot, false);
    if (held && name->at[r])
      name->held[r] = capture_resolve(&x->runs[r], name->name, name->version, slot, true);
  }
}

static void resolve_names(struct context *x)
{
  for (size_t i = 0; i < x->lib->needs.n; i++) {
    const struct need *need = &x->lib->needs.at[i];
    struct name *name = PUSH(&x->needs);
    *name = (struct name){need->name, need->version, NULL, NULL};
    resolve_all(x, name, need->slot, true);
  }
  for (size_t m = 0; m < x->runs[0].modules.n; m++) {
    const struct exports *all = x->runs[0].modules.at[m].exports;
    for (size_t i = 0; all && i < all->list.n; i++) {
      const struct export *e = &all->list.at[i];
      if (e->kind != EXPORT_IFUNC)
        continue;
      struct name *name = PUSH(&x->ifuncs);
      *name = (struct name){e->name, e->standard ? e->version : "", NULL, NULL};
      resolve_all(x, name, 0, false);
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
  const uint64_t slot = library_slot(x->lib, name, version);
  for (size_t r = 0; r < x->n; r++) {
    uint64_t at = capture_resolve(&x->runs[r], name, version, slot, false);
    if (!at || value_in(x, r, start) != at + (uint64_t)addend)
      return false;
  }
  return true;
}

size_t new_import(struct context *x, const char *name, const char *version, const char *module,
                  enum urf_import_kind kind, int64_t addend)
{
  for (size_t i = 0; i < x->plan->imports.n; i++) {
    const struct import *m = &x->plan->imports.at[i];
    if (m->kind == kind && m->addend == addend && strcmp(m->name, name) == 0 &&
        strcmp(m->version, version) == 0 && strcmp(m->module, module) == 0)
      return i;
  }
  *PUSH(&x->plan->imports) = (struct import){.name = xstrdup(name),
                                             .version = xstrdup(version),
                                             .module = xstrdup(module),
                                             .kind = kind,
                                             .addend = addend};
  if (kind != URF_IMPORT_MODULE && kind != URF_IMPORT_OWN && kind != URF_IMPORT_FOLLOW &&
      kind != URF_IMPORT_OFFSET)
    x->plan->imports.at[x->plan->imports.n - 1].slot = library_slot(x->lib, name, version);
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

/* The pointer may just as well be a copy of a variable that the library imports (stderr): that has to
 * lead there at load, too. */
static void require_held(struct context *x, const struct module *m, size_t start)
{
  for (size_t i = 0; i < x->needs.n; i++)
    if (holds(x, start, x->needs.at[i].held, 0))
      new_import(x, x->needs.at[i].name, x->needs.at[i].version, soname(m), URF_IMPORT_SAME_VALUE,
                 0);
}

/* Or as well one past the end of an array that the library knows: the two have to be side by side at
 * load, too.  What is no larger than a word is no array: stdin and stdout stand like that. */
static void require_end(struct context *x, const struct module *m, const char *name,
                        uint64_t target)
{
  for (size_t i = 0; i < m->exports->list.n; i++) {
    const struct export *e = &m->exports->list.at[i];
    if (e->kind == EXPORT_OBJECT && e->size > x->word && e->value + e->size == target &&
        strcmp(e->name, name) != 0 && library_needs(x->lib, e->name, e->version))
      new_import(x, e->name, e->version, soname(m), URF_IMPORT_SAME, (int64_t)e->size);
  }
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
  if (!best)
    return NO_IMPORT;
  bool needed = library_needs(x->lib, best->name, best->version);
  int64_t addend = (int64_t)(offset - best->value);
  size_t import = new_import(x, best->name, best->version, soname(m),
                             needed ? URF_IMPORT_SYMBOL : URF_IMPORT_MODULE, addend);
  if (!addend && !needed)
    require_held(x, m, start);
  if (best->value == target)
    require_end(x, m, best->name, target);
  return import;
}

/* One that the library imports.  When it imports several that have that address here (memcpy and
 * memmove), nothing tells which of them was meant: they have to be the same at load as well. */
static size_t import_need(struct context *x, const struct module *m, size_t start, uint64_t offset)
{
  size_t import = NO_IMPORT;
  for (size_t i = 0; i < x->needs.n; i++) {
    const struct name *name = &x->needs.at[i];
    if (!holds(x, start, name->at, 0))
      continue;
    size_t found = new_import(x, name->name, name->version, soname(m),
                              import == NO_IMPORT ? URF_IMPORT_SYMBOL : URF_IMPORT_SAME, 0);
    if (import == NO_IMPORT)
      import = found;
  }
  if (import != NO_IMPORT && m->exports)
    require_end(x, m, x->plan->imports.at[import].name, offset);
  return import;
}

static size_t import_ifunc(struct context *x, const struct module *m, size_t start)
{
  for (size_t i = 0; i < x->ifuncs.n; i++)
    if (holds(x, start, x->ifuncs.at[i].at, 0))
      return new_import(x, x->ifuncs.at[i].name, x->ifuncs.at[i].version, soname(m),
                        URF_IMPORT_MODULE, 0);
  return NO_IMPORT;
}

static size_t import_held(struct context *x, const struct module *m, size_t start, uint64_t offset)
{
  for (size_t i = 0; i < x->needs.n; i++) {
    if (!holds(x, start, x->needs.at[i].held, 0))
      continue;
    size_t import =
        new_import(x, x->needs.at[i].name, x->needs.at[i].version, soname(m), URF_IMPORT_VALUE, 0);
    struct import *new = &x->plan->imports.at[import];
    new->offset = offset;
    if (!new->path)
      new->path = xstrdup(m->path);
    return import;
  }
  return NO_IMPORT;
}

/* Whether the module is libc, the dynamic linker or the C++ library: of their variables not all changes
 * count (see probes.c), because a program gets at them by functions and exported symbols only.  It does
 * not, when it has a pointer into a buffer that asctime(3) has filled. */
static bool keeps_books(const struct module *m)
{
  static const char *const has[] = {"__libc_start_main", "__tls_get_addr", "__tls_get_offset",
                                    "_ZSt9terminatev"};
  for (size_t i = 0; i < m->exports->list.n; i++)
    for (size_t j = 0; j < sizeof has / sizeof *has; j++)
      if (strcmp(m->exports->list.at[i].name, has[j]) == 0)
        return true;
  return false;
}

/* No name says where in the module it is; in the very same one it is there again. */
static size_t import_offset(struct context *x, const struct module *m, uint64_t offset)
{
  const struct mapping *mapping = mapping_of(&x->runs[0], m->bias + (offset & ADDRESS_MASK));
  const bool writable = !mapping || mapping->prot & 2;
  if (!m->exports || !*m->exports->build_id || (writable && keeps_books(m)))
    return NO_IMPORT;
  return new_import(x, "", m->exports->build_id, soname(m), URF_IMPORT_OFFSET, (int64_t)offset);
}

/* The word at start, known to lead to that offset of that module in every run. */
size_t import_of(struct context *x, size_t module, size_t start, uint64_t offset)
{
  const struct module *m = &x->runs[0].modules.at[module];
  for (size_t i = 0; i < x->known.n; i++)
    if (x->known.at[i].module == module && x->known.at[i].offset == offset)
      return x->known.at[i].import;
  if (!x->needs.n && !x->ifuncs.n)
    resolve_names(x);
  size_t import = import_need(x, m, start, offset);
  if (import == NO_IMPORT)
    import = import_ifunc(x, m, start);
  if (import == NO_IMPORT)
    import = import_export(x, m, start, offset);
  if (import == NO_IMPORT)
    import = import_held(x, m, start, offset);
  if (import == NO_IMPORT)
    import = import_offset(x, m, offset);
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
bool leads_to_module(const struct context *x, size_t module, size_t d, size_t *start,
                     uint64_t *offset)
{
  uint64_t bias[MAX_RUNS];
  for (size_t r = 0; r < x->n; r++) {
    const struct module *m = same_module(x, r, module);
    if (!m)
      return false;
    bias[r] = m->bias;
  }
  if (!word_of(x, d, lowest_difference(bias, x->n), start))
    return false;
  *offset = value_in(x, 0, *start) - bias[0];
  for (size_t r = 1; r < x->n; r++)
    if (value_in(x, r, *start) - bias[r] != *offset)
      return false;
  const struct module *m = &x->runs[0].modules.at[module];
  uint64_t address = (*offset & ADDRESS_MASK) + m->bias;
  return address >= m->lo && address < m->hi;
}

static void free_names(struct name *names, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    free(names[i].at);
    free(names[i].held);
  }
  free(names);
}

void imports_free(struct context *x)
{
  free_names(x->needs.at, x->needs.n);
  free_names(x->ifuncs.at, x->ifuncs.n);
  free(x->known.at);
}
