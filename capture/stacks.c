/* Who made the blocks that the report is about.  A run records no more of an allocation than who called
 * the allocator, which is cheap; since init does the same in each run, one more tells the rest, for just
 * those allocations that are asked for. */

#include <stdlib.h>
#include <string.h>

#include "groups.h"
#include "work.h"

/* Groups of one cause whose stacks are asked for. */
enum { STACKS = 32 };

static int by_number(const void *a, const void *b)
{
  const size_t x = *(const size_t *)a, y = *(const size_t *)b;
  return x < y ? -1 : x > y;
}

/* of_cause: how many there were already of each cause */
static bool is_asked_for(const struct group *g, size_t *of_cause)
{
  const struct owner_block *b = g->example->subject.block;
  return b && b->allocation != SIZE_MAX && of_cause[g->example->finding->cause]++ < STACKS;
}

/* "3,17,40"; NULL when there is nothing to ask for. */
static char *list_allocations(const struct report *r)
{
  struct bytes text = {0};
  LIST(size_t) numbers = {0};
  size_t of_cause[FIND_CAUSES] = {0};
  for (size_t i = 0; i < r->groups.n; i++) {
    const struct group *g = &r->groups.at[i];
    if (is_asked_for(g, of_cause))
      *PUSH(&numbers) = r->runs->allocations.at[g->example->subject.block->allocation].number;
  }
  sort(numbers.at, numbers.n, sizeof *numbers.at, by_number);
  for (size_t i = 0; i < numbers.n; i++) {
    if (i && numbers.at[i] == numbers.at[i - 1])
      continue;
    char *number = xprintf("%s%zu", i ? "," : "", numbers.at[i]);
    put_bytes(&text, number, strlen(number));
    free(number);
  }
  if (numbers.n)
    put_bytes(&text, "", 1);
  free(numbers.at);
  return (char *)text.at;
}

static int compare_numbers(const void *a, const void *b)
{
  const size_t x = *(const size_t *)a, y = ((const struct allocation *)b)->number;
  return x < y ? -1 : x > y;
}

/* NULL when it is not among those that are kept. */
static const struct allocation *with_number(const struct capture *c, size_t number)
{
  const struct allocation *all = c->allocations.at;
  return c->allocations.n ? bsearch(&number, all, c->allocations.n, sizeof *all, compare_numbers)
                          : NULL;
}

/* Whether the allocation was the same as in the first run. */
static bool is_same(const struct capture *run, const struct capture *c, size_t number)
{
  const struct allocation *a = with_number(run, number), *b = with_number(c, number);
  return a && b && a->start == b->start && a->size == b->size && a->caller == b->caller;
}

/* frames */

static void add_line(void *context, const char *function, const char *file, int line)
{
  struct frames *to = context;
  *PUSH(&to->list) = (struct frame){.function = xstrdup(function ? function : "?"),
                                    .file = file ? xstrdup(file) : NULL,
                                    .line = line};
}

/* In the library; return addresses lie behind the call. */
static void add_own(struct frames *to, const struct report *r, uint64_t address)
{
  const size_t before = to->list.n;
  const struct symbol *s = library_symbol(r->lib, address - 1);
  if (r->debug)
    debug_lines(r->debug, address - 1, add_line, to);
  if (to->list.n > before)
    return;
  *PUSH(&to->list) =
      (struct frame){.function = s ? xprintf("%s+0x%jx", s->name, (uintmax_t)(address - s->value))
                                   : xprintf("0x%jx", (uintmax_t)address)};
}

static void add_foreign(struct frames *to, const struct module *m, uint64_t address)
{
  const struct export *best = NULL;
  const uint64_t offset = address - m->bias;
  for (size_t i = 0; m->exports && i < m->exports->list.n; i++) {
    const struct export *x = &m->exports->list.at[i];
    if (x->value < offset && offset - x->value <= x->size)
      best = x;
  }
  *PUSH(&to->list) =
      (struct frame){.module = xstrdup(file_name(m->path)),
                     .function = best ? xstrdup(best->name) : xprintf("+0x%jx", (uintmax_t)offset)};
}

static const struct module *module_of(const struct capture *c, uint64_t address)
{
  for (size_t i = 0; i < c->modules.n; i++)
    if (address >= c->modules.at[i].lo && address < c->modules.at[i].hi)
      return &c->modules.at[i];
  return NULL;
}

/* From the caller of the allocator out to the last function of the library. */
static void resolve(struct frames *to, const struct report *r, const struct capture *c,
                    const struct stack *s)
{
  const struct library *lib = r->lib;
  const uint32_t from = with_number(c, s->allocation)->caller;
  const uint64_t caller = from ? lib->lo + from : 0;
  size_t first = 0, end = s->frames.n;
  while (first < end && (!caller || s->frames.at[first] - c->bias != caller))
    first++;
  while (end > first &&
         (s->frames.at[end - 1] - c->bias < lib->lo || s->frames.at[end - 1] - c->bias >= lib->hi))
    end--;
  for (size_t i = first; i < end; i++) {
    const uint64_t at = s->frames.at[i];
    const struct module *m = module_of(c, at);
    if (at - c->bias >= lib->lo && at - c->bias < lib->hi)
      add_own(to, r, at - c->bias);
    else if (m)
      add_foreign(to, m, at);
  }
}

/* Of the example's block; at least its caller, where the library has no unwind tables or init does not do
 * the same again. */
static void fill(struct group *g, const struct report *r, const struct capture *c)
{
  const struct owner_block *b = g->example->subject.block;
  const struct stack key = {.allocation = r->runs->allocations.at[b->allocation].number};
  const struct stack *s =
      c->stacks.n ? bsearch(&key, c->stacks.at, c->stacks.n, sizeof key, by_number) : NULL;
  if (s && is_same(r->runs, c, s->allocation))
    resolve(&g->stack, r, c, s);
  if (!g->stack.list.n && b->caller)
    add_own(&g->stack, r, b->caller);
}

void stacks_take(struct work *w, struct report *r)
{
  char *numbers = list_allocations(r);
  const struct setting setting = {.seed = 1,
                                  .align = w->runs[0].align,
                                  .steady = true,
                                  .books = BOOK_BLOCKS | BOOK_ALLOCATIONS,
                                  .layout = w->layout,
                                  .stacks = numbers};
  struct capture c = {0};
  struct error ignored = {0};
  size_t of_cause[FIND_CAUSES] = {0};
  if (numbers) {
    progress(w, "who made what is found", 0, 0);
    (void)capture_take(&c, w->o, &w->lib, w->lib.file, &setting, &w->runs[0].region, true, w->cache,
                       &ignored);
  }
  for (size_t i = 0; i < r->groups.n; i++)
    if (is_asked_for(&r->groups.at[i], of_cause))
      fill(&r->groups.at[i], r, &c);
  capture_free(&c);
  error_free(&ignored);
  free(numbers);
}
