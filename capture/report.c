/* What a freeze cannot explain: the findings, and the policy that would accept them. */

#include <stdlib.h>
#include <string.h>

#include "owner.h"

enum { SHOWN = 4 }; /* words, values and policy lines of one group */

static const struct {
  const char *title, *why, *cure, *action;
} texts[] = {
    [FIND_MOVES] =
        {"leads to another place in the library in each run, or nowhere",
         "It depends on addresses (a cache or a table indexed by them), and at load all\n"
         "  addresses are others.",
         "Index by something that is the same in every process, or empty it when init ends;\n"
         "  or give the library a preferred base and use --fixed; if the entries of one run\n"
         "  are right at any address, accept them",
         "keep"},
    [FIND_BASE] =
        {"follows the load address, but is no pointer into the library",
         "It was computed from an address (a hash, or a pointer in disguise), and would be\n"
         "  that of a process that is gone.",
         "Compute it at first use, or from something that is no address; or give the library a\n"
         "  preferred base and use --fixed; if the value of one run is right at any address,\n"
         "  accept it",
         "keep"},
    [FIND_MODULE] =
        {"points into another module, at no symbol that it exports",
         "The next process has that module elsewhere, and no name says where in it.",
         "Take the address of an exported symbol, or get the pointer at first use; if the\n"
         "  library gets it again when it is null, accept that",
         "zero"},
    [FIND_STACK] =
        {"points to the stack of the process that ran init",
         "The process that loads the library has another stack.",
         "Copy what is there, or get the pointer at first use; if the library gets it again\n"
         "  when it is null, accept that",
         "zero"},
    [FIND_HEAP] =
        {"points to memory that somebody else allocated, such as an open FILE",
         "That memory is not part of the library; where it is loaded, something else or\n"
         "  nothing is there.",
         "Give it back before init ends and get it at first use, or link what allocates it\n"
         "  into the library (C++: -static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL); if\n"
         "  the library gets it again when it is null, accept that",
         "zero"},
    [FIND_MAPPING] = {"points to a mapping that is not part of the library",
                      "Where the library is loaded, something else or nothing is there.",
                      "Map it at first use; if the library does so when it is null, accept that",
                      "zero"},
    [FIND_VARIES] =
        {"is not the same in every run",
         "A time, a process id, a random number, or what was made of one or of an address:\n"
         "  every process would have that of the freeze.  No seed or key must come to that.",
         "Set it at first use, or in a function of URF_ON_THAW (urf.h); if the value of one run\n"
         "  will do for all, accept it (with the action zero instead of keep: as cleared bytes)",
         "keep"},
    [FIND_REFUSED] = {"must not be frozen",
                      "It is not as it was before init, and the frozen file would hold it.",
                      "Clear it before init ends or in a function of URF_ON_FREEZE, mark the "
                      "variable\n"
                      "  URF_TRANSIENT, or take the line out of the policy.",
                      NULL},
};
_Static_assert(sizeof texts / sizeof *texts == FIND_CAUSES, "each cause has its text");

char *report_place(const struct library *lib, const struct capture *c, size_t offset)
{
  struct owners o;
  owners_init(&o, lib, c);
  struct subject s = subject_of(&o, lib->note.data + offset);
  char *place = place_of(&s, c, lib->note.data + offset);
  owners_free(&o);
  return place;
}

char *report_what(const struct library *lib, const struct capture *c, size_t offset, unsigned size)
{
  struct owners o;
  uint64_t address = lib->note.data + offset;
  owners_init(&o, lib, c);
  struct subject s = subject_of(&o, address);
  char *what = what_of(&o, &s, address, address + size);
  owners_free(&o);
  return what;
}

/* A finding, with the bytes of it that a policy has to be about. */
struct entry {
  const struct finding *finding;
  struct subject subject;
  uint64_t key; /* equal for one symbol, or one place that allocates */
  uint64_t lo, hi;
};

struct report {
  FILE *f;
  const struct plan *plan;
  const struct capture *runs;
  size_t n;
  struct owners owners;
  struct entry *entries; /* groups of them side by side */
};

static bool differs(const struct report *r, size_t at)
{
  for (size_t i = 1; i < r->n; i++)
    if (r->runs[i].region[at] != r->runs[0].region[at])
      return true;
  return false;
}

/* The lower half of what looks like one number carries into the upper one another time. */
static bool is_lower_half(const struct report *r, const struct finding *f)
{
  const unsigned word = r->owners.lib->word;
  if (f->cause != FIND_VARIES || f->size != word / 2 || f->offset % word)
    return false;
  for (size_t i = f->size; i < word; i++)
    if (r->runs[0].region[f->offset + i])
      return true;
  return false;
}

static struct entry entry_of(const struct report *r, const struct finding *f)
{
  const uint64_t data = r->owners.lib->note.data;
  size_t first = 0;
  while (first < f->size && !differs(r, f->offset + first))
    first++;
  first = first == f->size ? 0 : first;
  struct entry x = {.finding = f, .lo = data + f->offset, .hi = data + f->offset + f->size};
  x.subject = subject_of(&r->owners, x.lo + first);
  x.key = x.subject.block ? x.subject.block->caller : x.subject.start;
  if (x.lo < x.subject.start)
    x.lo = x.subject.start;
  uint64_t end = x.subject.start + x.subject.size;
  if (is_lower_half(r, f) && (!x.subject.size || x.hi + f->size <= end))
    x.hi += f->size;
  return x;
}

static int by_group(const void *a, const void *b)
{
  const struct entry *x = a, *y = b;
  if (!x->subject.block != !y->subject.block)
    return x->subject.block ? 1 : -1;
  if (x->key != y->key)
    return x->key < y->key ? -1 : 1;
  if (x->finding->cause != y->finding->cause)
    return x->finding->cause < y->finding->cause ? -1 : 1;
  return x->lo < y->lo ? -1 : x->lo > y->lo;
}

static void report_init(struct report *r, FILE *f, const struct library *lib,
                        const struct plan *plan, const struct capture *runs, size_t n)
{
  *r = (struct report){.f = f, .plan = plan, .runs = runs, .n = n};
  owners_init(&r->owners, lib, runs);
  r->entries = xalloc(plan->findings.n * sizeof *r->entries);
  for (size_t i = 0; i < plan->findings.n; i++)
    r->entries[i] = entry_of(r, &plan->findings.at[i]);
  qsort(r->entries, plan->findings.n, sizeof *r->entries, by_group);
}

static void report_free(struct report *r)
{
  owners_free(&r->owners);
  free(r->entries);
}

/* Behind the last entry of the group that begins with i. */
static size_t group_end(const struct report *r, size_t i)
{
  const struct entry *first = &r->entries[i];
  while (++i < r->plan->findings.n && r->entries[i].key == first->key &&
         r->entries[i].finding->cause == first->finding->cause &&
         r->entries[i].finding->line == first->finding->line &&
         !r->entries[i].subject.block == !first->subject.block)
    ;
  return i;
}

static void print_head(const struct report *r, const struct entry *x)
{
  const struct subject *s = &x->subject;
  if (s->symbol)
    fprintf(r->f, "%s (%ju bytes in %s)", s->symbol->name, (uintmax_t)s->size, s->part);
  else if (s->block) {
    char *caller = caller_name(s->block);
    fprintf(r->f, "memory allocated by %s", caller);
    free(caller);
  } else
    fprintf(r->f, "%s, where the library has no symbol", s->part);
  fprintf(r->f, ": %s", texts[x->finding->cause].title);
  if (x->finding->line)
    fprintf(r->f, ", says %s:%u: %s", x->finding->line->file, x->finding->line->line,
            x->finding->line->reason);
}

static const struct {
  enum thing thing;
  const char *name;
} things[] = {
    {THING_ADDRESS, "addresses"},
    {THING_TIME, "the time"},
    {THING_PROCESS, "the process id"},
    {THING_RANDOM, "random numbers (getrandom, AT_RANDOM, /dev/urandom)"},
    {THING_COUNTER, "the processor's time stamp counter"},
    {THING_NAME, "the name of the program"},
    {THING_OTHER, "what turf cannot hold still (random numbers of the processor, CPU time, threads "
                  "that race)"},
};

char *report_things(unsigned set)
{
  struct bytes text = {0};
  for (size_t i = 0; i < sizeof things / sizeof *things; i++) {
    if (!(set & things[i].thing))
      continue;
    put_bytes(&text, " and ", text.n ? 5 : 0);
    put_bytes(&text, things[i].name, strlen(things[i].name));
  }
  put_bytes(&text, "", 1);
  return (char *)text.at;
}

/* What the words of a group vary with, taken together. */
static void print_varies(const struct report *r, size_t i, size_t end)
{
  unsigned set = 0;
  for (; i < end; i++)
    set |= r->entries[i].finding->varies;
  char *names = report_things(set);
  if (set)
    fprintf(r->f, "  It varies with %s.\n", names);
  free(names);
}

static void print_value(const struct report *r, const struct finding *f, size_t run)
{
  const unsigned char *at = r->runs[run].region + f->offset;
  fputs(" 0x", r->f);
  for (size_t i = f->size; i-- > 0;)
    fprintf(r->f, "%02x", at[i]);
}

static void print_word(const struct report *r, const struct entry *x)
{
  const bool secret = x->finding->cause == FIND_REFUSED;
  char *place = place_of(&x->subject, r->runs, x->lo);
  fprintf(r->f, secret ? "    %s" : "    %s:", place);
  free(place);
  for (size_t run = 0; run < r->n && run < SHOWN - 1 && !secret; run++)
    print_value(r, x->finding, run);
  if (*x->finding->what)
    fprintf(r->f, ", in %s", x->finding->what);
  fputc('\n', r->f);
}

/* Policy lines for [i, end), neighbours in one; at most max of them. */
static void print_lines(struct report *r, size_t i, size_t end, size_t max, const char *indent)
{
  for (size_t line = 0; i < end; line++) {
    const struct entry *x = &r->entries[i];
    uint64_t hi = x->hi;
    if (line == max) {
      fprintf(r->f, "%sand so on; `turf check --suggest` prints all\n", indent);
      return;
    }
    for (i++; i < end && r->entries[i].lo == hi && r->entries[i].subject.start == x->subject.start;
         i++)
      hi = r->entries[i].hi;
    char *what = what_of(&r->owners, &x->subject, x->lo, hi);
    fprintf(r->f, "%s%s %s REASON\n", indent, what, texts[x->finding->cause].action);
    free(what);
  }
}

void report_findings(FILE *f, const struct library *lib, const struct plan *plan,
                     const struct capture *runs, size_t n)
{
  struct report r;
  report_init(&r, f, lib, plan, runs, n);
  for (size_t i = 0, end; i < plan->findings.n; i = end) {
    end = group_end(&r, i);
    print_head(&r, &r.entries[i]);
    fputc('\n', f);
    for (size_t j = i; j < end && j < i + SHOWN; j++)
      print_word(&r, &r.entries[j]);
    if (end - i > SHOWN)
      fprintf(f, "    and %zu more\n", end - i - SHOWN);
    print_varies(&r, i, end);
    const enum cause cause = r.entries[i].finding->cause;
    fprintf(f, "  %s\n  %s\n", texts[cause].why, texts[cause].cure);
    if (texts[cause].action) {
      fputs("  with a line in the file of --policy:\n", f);
      print_lines(&r, i, end, SHOWN, "    ");
    }
    fputc('\n', f);
  }
  report_free(&r);
}

void report_suggest(FILE *f, const struct library *lib, const struct plan *plan,
                    const struct capture *runs, size_t n)
{
  struct report r;
  report_init(&r, f, lib, plan, runs, n);
  for (size_t i = 0, end; i < plan->findings.n; i = end) {
    end = group_end(&r, i);
    fputs("# ", f);
    print_head(&r, &r.entries[i]);
    fputc('\n', f);
    if (texts[r.entries[i].finding->cause].action)
      print_lines(&r, i, end, SIZE_MAX, "");
  }
  report_free(&r);
}
