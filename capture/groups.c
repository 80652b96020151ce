/* Findings in groups, and what there is to say of a group. */

#include <stdlib.h>
#include <string.h>

#include "groups.h"

/* Steps of a route that are shown at its beginning, and at its end; how long one with types may be. */
enum { FIRST_STEPS = 4, LAST_STEPS = 3, TYPED_STEPS = 64 };

/* The lower half of what looks like one number carries into the upper one another time. */
static bool is_lower_half(const struct report *r, const struct finding *f)
{
  const unsigned word = r->lib->form.word;
  if (f->cause != FIND_VARIES || f->size != word / 2 || f->offset % word)
    return false;
  for (size_t i = f->size; i < word; i++)
    if (region_byte(&r->runs[0].region, f->offset + i))
      return true;
  return false;
}

/* The first byte of a finding that is not the same in all runs, or its first. */
static size_t first_byte(const struct report *r, const struct finding *f)
{
  size_t first = 0;
  while (first < f->size && !regions_differ(r->runs, r->n, f->offset + first))
    first++;
  return f->offset + (first == f->size ? 0 : first);
}

static struct entry entry_of(const struct report *r, const struct finding *f)
{
  const uint64_t data = r->lib->note.data;
  struct entry x = {.finding = f, .lo = data + f->offset, .hi = data + f->offset + f->size};
  x.subject = subject_of(&r->owners, data + first_byte(r, f));
  x.key = x.subject.block ? x.subject.block->caller : x.subject.start;
  if (x.lo < x.subject.start)
    x.lo = x.subject.start;
  uint64_t end = x.subject.start + x.subject.size;
  if (is_lower_half(r, f) && (!x.subject.size || x.hi + f->size <= end))
    x.hi += f->size;
  return x;
}

static int compare_groups(const struct entry *x, const struct entry *y)
{
  if (x->finding->cause != y->finding->cause)
    return x->finding->cause < y->finding->cause ? -1 : 1;
  if (!x->subject.block != !y->subject.block)
    return x->subject.block ? 1 : -1;
  if (x->key != y->key)
    return x->key < y->key ? -1 : 1;
  return x->finding->line < y->finding->line ? -1 : x->finding->line > y->finding->line;
}

static int by_group(const void *a, const void *b)
{
  const struct entry *x = a, *y = b;
  int order = compare_groups(x, y);
  return order ? order : x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* 0 for a variable, and more than all others where no way leads. */
static uint32_t steps_to(const struct report *r, const struct entry *x)
{
  return x->subject.block ? roots_steps(&r->roots, x->subject.block) - 1 : 0;
}

static void add_entry(const struct report *r, struct group *g, const struct entry *x)
{
  if (x->subject.block &&
      (g->first == g->end || x->subject.block != r->entries[g->end - 1].subject.block))
    g->blocks++;
  if (g->first == g->end || steps_to(r, x) < steps_to(r, g->example))
    g->example = x;
  g->varies |= x->finding->varies;
  g->end++;
}

void report_init(struct report *r, const struct library *lib, const struct plan *plan,
                 const struct capture *runs, size_t n, struct debug *debug)
{
  const size_t n_entries = plan->findings.n;
  *r = (struct report){.lib = lib, .plan = plan, .runs = runs, .n = n, .debug = debug};
  owners_init(&r->owners, lib, runs);
  roots_init(&r->roots, &r->owners, plan, runs);
  r->entries = xalloc(n_entries * sizeof *r->entries);
  for (size_t i = 0; i < n_entries; i++)
    r->entries[i] = entry_of(r, &plan->findings.at[i]);
  sort(r->entries, n_entries, sizeof *r->entries, by_group);
  for (size_t i = 0; i < n_entries; i++) {
    if (!i || compare_groups(&r->entries[i - 1], &r->entries[i]))
      *PUSH(&r->groups) = (struct group){.first = i, .end = i};
    add_entry(r, &r->groups.at[r->groups.n - 1], &r->entries[i]);
  }
}

const char *file_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

char *frame_text(const struct frame *f)
{
  if (f->module)
    return xprintf("%s (%s)", f->function, f->module);
  return f->file ? xprintf("%s (%s:%d)", f->function, file_name(f->file), f->line)
                 : xstrdup(f->function);
}

static void frames_free(struct frames *f)
{
  for (size_t i = 0; i < f->list.n; i++) {
    free(f->list.at[i].function);
    free(f->list.at[i].module);
    free(f->list.at[i].file);
  }
  free(f->list.at);
}

void report_free(struct report *r)
{
  roots_free(&r->roots);
  owners_free(&r->owners);
  free(r->entries);
  for (size_t i = 0; i < r->groups.n; i++)
    frames_free(&r->groups.at[i].stack);
  free(r->groups.at);
}

char *group_name(const struct report *r, const struct group *g)
{
  const struct subject *s = &r->entries[g->first].subject;
  if (s->symbol)
    return xprintf("%s (%ju bytes in %s)", s->symbol->name, (uintmax_t)s->size, s->part);
  if (!s->block)
    return xprintf("%s, where the library has no symbol", s->part);
  char *caller = caller_name(s->block);
  char *name = xprintf("memory allocated by %s", caller);
  free(caller);
  return name;
}

char *group_title(const struct report *r, const struct group *g)
{
  const struct finding *f = g->example->finding;
  char *name = group_name(r, g), *says = xstrdup("");
  if (f->line) {
    free(says);
    says = xprintf(", says %s:%u: %s", f->line->file, f->line->line, f->line->reason);
  }
  char *title = xprintf("%s: %s%s", name, cause_texts[f->cause].title, says);
  free(name);
  free(says);
  return title;
}

static void put_text(struct bytes *b, char *text)
{
  put_bytes(b, text, strlen(text));
  free(text);
}

/* An address, as a step of a route. */
static char *step_text(const struct report *r, uint64_t address)
{
  struct subject s = subject_of(&r->owners, address);
  const uintmax_t by = address - s.start;
  if (!s.block)
    return xprintf("%s+%ju", s.symbol ? s.symbol->name : s.part, by);
  char *caller = caller_name(s.block);
  char *text = xprintf("block of %s +%ju", caller, by);
  free(caller);
  return text;
}

/* Steps without types, which are left out in the middle when they are many. */
static void put_steps(const struct report *r, struct bytes *text, const uint64_t *steps, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    put_text(text, xstrdup(text->n ? " -> " : ""));
    if (i == FIRST_STEPS && n > FIRST_STEPS + LAST_STEPS + 1) {
      put_text(text, xprintf("(%zu more)", n - FIRST_STEPS - LAST_STEPS));
      i = n - LAST_STEPS - 1;
    } else
      put_text(text, step_text(r, steps[i]));
  }
}

/* What C calls the place that the word leads to, and, so many bytes behind, is `at`. */
static char *follow(const struct report *r, const char *text, const struct edge *edge, uint64_t at,
                    bool pointer, struct debug_type *type)
{
  const struct owner_block *b = owners_block(&r->owners, edge->target);
  if (b->allocation == SIZE_MAX || at < edge->target)
    return NULL;
  const uint64_t end = b->start + r->runs->allocations.at[b->allocation].size;
  const struct debug_type from = *type;
  return debug_follow(r->debug, text, &from, at - edge->target, end - edge->target, pointer, type);
}

/* As far as types tell, in C's words; returns how many of the n + 1 steps those are. */
static size_t put_typed(const struct report *r, struct bytes *out, const uint64_t *steps,
                        const struct edge *const *edges, size_t n)
{
  struct debug_type type;
  const bool many = n > FIRST_STEPS + LAST_STEPS;
  char *text =
      r->debug && n <= TYPED_STEPS ? debug_variable(r->debug, steps[0], n > 0, &type) : NULL;
  size_t i = text ? 1 : 0;
  for (char *next; text && i <= n; i++, text = next) {
    next = follow(r, text, edges[i - 1], steps[i], i < n, &type);
    if (!next)
      break;
    if (many && i == FIRST_STEPS)
      put_text(out, xprintf("%s -> (%zu more) -> ", text, n + 1 - FIRST_STEPS - LAST_STEPS));
    if (many && i >= FIRST_STEPS && i <= n - LAST_STEPS) {
      free(next);
      next = xstrdup("...");
    }
    free(text);
  }
  if (text)
    put_text(out, text);
  return i;
}

char *entry_route(const struct report *r, const struct entry *x)
{
  struct bytes text = {0};
  const struct owner_block *b = x->subject.block;
  const size_t n = b ? roots_steps(&r->roots, b) : 0;
  if (!b)
    return NULL;
  uint64_t *steps = xalloc((n + 1) * sizeof *steps); /* the words, in order */
  const struct edge **edges = xalloc((n + 1) * sizeof *edges);
  steps[n] = x->lo;
  for (size_t i = n; i-- > 0; b = owners_block(&r->owners, steps[i])) {
    edges[i] = roots_edge(&r->roots, b);
    steps[i] = edges[i]->word;
  }
  size_t typed = n ? put_typed(r, &text, steps, edges, n) : 0;
  if (n)
    put_steps(r, &text, steps + typed, n + 1 - typed);
  put_bytes(&text, "", 1);
  free(edges);
  free(steps);
  return (char *)text.at;
}

char *entry_field(const struct report *r, const struct entry *x)
{
  struct debug_type unused;
  if (!r->debug || x->subject.block)
    return NULL;
  return debug_variable(r->debug, r->lib->note.data + first_byte(r, x->finding), false, &unused);
}

char *entry_value(const struct report *r, const struct entry *x, size_t run)
{
  const struct finding *f = x->finding;
  char *text = xalloc(3 + 2 * (size_t)f->size), *to = text;
  to += sprintf(to, "0x");
  for (size_t i = 0; i < f->size; i++) {
    const size_t byte = is_big(r->lib->form) ? i : f->size - 1 - i;
    to += sprintf(to, "%02x", region_byte(&r->runs[run].region, f->offset + byte));
  }
  return text;
}

char *policy_text(struct report *r, size_t *i, size_t end)
{
  const struct entry *x = &r->entries[*i];
  uint64_t hi = x->hi;
  for (++*i;
       *i < end && r->entries[*i].lo == hi && r->entries[*i].subject.start == x->subject.start;
       ++*i)
    hi = r->entries[*i].hi;
  char *what = what_of(&r->owners, &x->subject, x->lo, hi);
  char *line = xprintf("%s %s REASON", what, cause_texts[x->finding->cause].action);
  free(what);
  return line;
}
