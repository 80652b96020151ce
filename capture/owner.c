/* Who has a byte of the region: a symbol, a block of the heap, or nobody. */

#include <stdlib.h>
#include <string.h>

#include "owner.h"

static size_t find(const struct owners *o, uint64_t address)
{
  size_t lo = 0, hi = o->blocks.n;
  while (lo < hi) {
    size_t middle = lo + (hi - lo) / 2;
    if (o->blocks.at[middle].start <= address)
      lo = middle + 1;
    else
      hi = middle;
  }
  return lo && address - o->blocks.at[lo - 1].start < o->blocks.at[lo - 1].size ? lo - 1 : SIZE_MAX;
}

/* Blocks with the same name for a policy side by side, by address; those without one last. */
static int by_caller(const void *a, const void *b)
{
  const struct owner_block *x = *(struct owner_block *const *)a;
  const struct owner_block *y = *(struct owner_block *const *)b;
  if (!x->function != !y->function)
    return x->function ? -1 : 1;
  int order = x->function ? strcmp(x->function->name, y->function->name)
                          : (x->caller < y->caller) - (x->caller > y->caller);
  return order ? order : x->start < y->start ? -1 : x->start > y->start;
}

static bool same_caller(const struct owner_block *x, const struct owner_block *y)
{
  if (x->function && y->function)
    return strcmp(x->function->name, y->function->name) == 0;
  return !x->function && !y->function && x->caller == y->caller;
}

static void count(struct owners *o)
{
  struct owner_block **order = xalloc(o->blocks.n * sizeof *order);
  for (size_t i = 0; i < o->blocks.n; i++)
    order[i] = &o->blocks.at[i];
  qsort(order, o->blocks.n, sizeof *order, by_caller);
  for (size_t i = 0; i < o->blocks.n && order[i]->caller; i++)
    order[i]->nth = i && same_caller(order[i - 1], order[i]) ? order[i - 1]->nth + 1 : 1;
  free(order);
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
    o->blocks.at[b].caller = c->allocations.at[i].caller;
  }
  for (size_t i = 0; i < o->blocks.n; i++)
    if (o->blocks.at[i].caller)
      o->blocks.at[i].function = library_symbol(lib, o->blocks.at[i].caller);
  count(o);
}

void owners_free(struct owners *o)
{
  free(o->blocks.at);
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
