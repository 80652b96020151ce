/* Who has a byte of the region (a symbol, a block of the heap, or nobody), and what that is called. */

#include <stdlib.h>
#include <string.h>

#include "owner.h"

static size_t find(const struct owners *o, uint64_t address)
{
  const size_t n = COUNT_BELOW(&o->blocks, start, address + 1);
  return n && address - o->blocks.at[n - 1].start < o->blocks.at[n - 1].size ? n - 1 : SIZE_MAX;
}

/* 0 for blocks with the same name for a policy; those without one come last. */
static int compare_makers(const struct owner_block *x, const struct owner_block *y)
{
  if (!x->function != !y->function)
    return x->function ? -1 : 1;
  return x->function ? strcmp(x->function->name, y->function->name)
                     : (x->caller < y->caller) - (x->caller > y->caller);
}

static int by_caller(const void *a, const void *b)
{
  const struct owner_block *x = *(struct owner_block *const *)a;
  const struct owner_block *y = *(struct owner_block *const *)b;
  int order = compare_makers(x, y);
  if (order)
    return order;
  return x->allocation < y->allocation ? -1 : x->allocation > y->allocation;
}

static void count(struct owners *o)
{
  struct owner_block **order = xalloc(o->blocks.n * sizeof *order);
  for (size_t i = 0; i < o->blocks.n; i++)
    order[i] = &o->blocks.at[i];
  sort(order, o->blocks.n, sizeof *order, by_caller);
  for (size_t i = 0; i < o->blocks.n && order[i]->caller; i++)
    order[i]->nth = i && !compare_makers(order[i - 1], order[i]) ? order[i - 1]->nth + 1 : 1;
  o->by_caller = order;
}

/* The first place in by_caller from which on blocks are of that maker or, after, of others that follow. */
static size_t first_made(const struct owners *o, const struct owner_block *maker, bool after)
{
  size_t lo = 0, hi = o->blocks.n;
  while (lo < hi) {
    size_t middle = lo + (hi - lo) / 2;
    int order = compare_makers(o->by_caller[middle], maker);
    if (order < 0 || (after && !order))
      lo = middle + 1;
    else
      hi = middle;
  }
  return lo;
}

struct owner_block *const *owners_made(const struct owners *o, const char *function,
                                       uint64_t caller, size_t *n)
{
  const struct symbol named = {.name = (char *)function};
  const struct owner_block maker = {.caller = caller, .function = function ? &named : NULL};
  size_t first = first_made(o, &maker, false);
  *n = function || caller ? first_made(o, &maker, true) - first : 0;
  return o->by_caller + first;
}

void owners_init(struct owners *o, const struct library *lib, const struct capture *c)
{
  *o = (struct owners){.lib = lib};
  if (!c)
    return;
  for (size_t i = 0; i < c->blocks.n; i++)
    if (c->blocks.at[i].used)
      *PUSH(&o->blocks) = (struct owner_block){
          .start = c->blocks.at[i].start, .size = c->blocks.at[i].size, .allocation = SIZE_MAX};
  for (size_t i = 0; i < c->allocations.n; i++) {
    size_t b = find(o, c->allocations.at[i].start);
    if (b == SIZE_MAX)
      continue;
    o->blocks.at[b].allocation = i;
    o->blocks.at[b].caller =
        c->allocations.at[i].caller ? lib->lo + c->allocations.at[i].caller : 0;
  }
  for (size_t i = 0; i < o->blocks.n; i++)
    if (o->blocks.at[i].caller)
      o->blocks.at[i].function = library_symbol(lib, o->blocks.at[i].caller);
  count(o);
}

void owners_free(struct owners *o)
{
  free(o->blocks.at);
  free(o->by_caller);
  free(o->by_name);
  *o = (struct owners){0};
}

const struct owner_block *owners_block(const struct owners *o, uint64_t address)
{
  size_t i = find(o, address);
  return i == SIZE_MAX ? NULL : &o->blocks.at[i];
}

const char *part_of(const struct library *lib, uint64_t address, uint64_t *start)
{
  const struct urf_note *note = &lib->note;
  *start = address >= note->heap ? note->heap : address >= note->bss ? note->bss : note->data;
  if (address < note->data || address - note->data >= lib->region_size)
    return "";
  return *start == note->heap ? ".urf.heap" : *start == note->bss ? ".bss" : ".data";
}

struct subject subject_of(const struct owners *o, uint64_t address)
{
  struct subject s = {0};
  s.part = part_of(o->lib, address, &s.start);
  s.block = owners_block(o, address);
  if (s.block) {
    s.start = s.block->start;
    s.size = s.block->size;
  } else if (*s.part && (s.symbol = library_symbol(o->lib, address))) {
    s.start = s.symbol->value;
    s.size = s.symbol->size;
  }
  return s;
}

/* "f+0x20", the place that a return address is in */
char *caller_name(const struct owner_block *b)
{
  if (b->function)
    return xprintf("%s+0x%jx", b->function->name, (uintmax_t)(b->caller - b->function->value));
  return b->caller ? xprintf("0x%jx", (uintmax_t)b->caller) : xstrdup("another module");
}

char *place_of(const struct subject *s, const struct capture *c, uint64_t address)
{
  uintmax_t by = address - s->start;
  if (s->symbol)
    return xprintf("%s+%ju (%s)", s->symbol->name, by, s->part);
  if (!s->block)
    return *s->part ? xprintf("%s+%ju", s->part, by) : xprintf("0x%jx", (uintmax_t)address);
  if (s->block->allocation == SIZE_MAX)
    return xprintf("block of %ju bytes +%ju", (uintmax_t)s->size, by);
  char *caller = caller_name(s->block);
  const struct allocation *a = &c->allocations.at[s->block->allocation];
  char *place = xprintf("allocation %ju (%ju bytes, by %s) +%ju", (uintmax_t)a->number + 1,
                        (uintmax_t)a->size, caller, by);
  free(caller);
  return place;
}

/* By name; of several with one name by address, as in the library's list. */
static int by_name(const void *a, const void *b)
{
  const struct symbol *x = *(const struct symbol *const *)a, *y = *(const struct symbol *const *)b;
  int order = strcmp(x->name, y->name);
  return order ? order : x < y ? -1 : x > y;
}

static void sort_names(struct owners *o)
{
  const struct library *lib = o->lib;
  o->by_name = xalloc(lib->symbols.n * sizeof *o->by_name);
  for (size_t i = 0; i < lib->symbols.n; i++)
    if (lib->symbols.at[i].value - lib->note.data < lib->region_size)
      o->by_name[o->n_names++] = &lib->symbols.at[i];
  sort(o->by_name, o->n_names, sizeof *o->by_name, by_name);
}

const struct symbol *const *owners_named(struct owners *o, const char *name, size_t *n)
{
  if (!o->by_name)
    sort_names(o);
  size_t lo = 0, hi = o->n_names;
  while (lo < hi) {
    size_t middle = lo + (hi - lo) / 2;
    if (strcmp(o->by_name[middle]->name, name) < 0)
      lo = middle + 1;
    else
      hi = middle;
  }
  *n = 0;
  while (lo + *n < o->n_names && strcmp(o->by_name[lo + *n]->name, name) == 0)
    ++*n;
  return o->by_name + lo;
}

/* What a policy calls the symbol, or NULL. */
static char *name_for_policy(struct owners *o, const struct symbol *symbol)
{
  const char *name = symbol->name;
  size_t n, i = 0;
  if (!*name || strpbrk(name, " \t+:#"))
    return NULL;
  const struct symbol *const *named = owners_named(o, name, &n);
  while (i < n && named[i] != symbol)
    i++;
  return i == n ? NULL : n > 1 ? xprintf("%s#%zu", name, i + 1) : xstrdup(name);
}

char *what_of(struct owners *o, const struct subject *s, uint64_t lo, uint64_t hi)
{
  const unsigned word = o->lib->form.word;
  uint64_t end = (s->start + s->size + word - 1) / word * word, start;
  uintmax_t size = hi - lo;
  bool whole = lo >= s->start && hi <= end;
  char *name = s->symbol && whole ? name_for_policy(o, s->symbol) : NULL;
  if (name) {
    char *what = xprintf("%s+%ju:%ju", name, (uintmax_t)(lo - s->start), size);
    free(name);
    return what;
  }
  if (s->block && whole && s->block->nth) {
    char *f = s->block->function ? xstrdup(s->block->function->name)
                                 : xprintf("0x%jx", (uintmax_t)s->block->caller);
    char *what = xprintf("heap:%s#%ju+%ju:%ju", f, (uintmax_t)s->block->nth,
                         (uintmax_t)(lo - s->start), size);
    free(f);
    return what;
  }
  const char *part = part_of(o->lib, lo, &start);
  return xprintf("%s+%ju:%ju", part, (uintmax_t)(lo - start), size);
}
