/* What a freeze cannot explain, as text: the findings, and the policy that would accept them. */

#include <stdlib.h>
#include <string.h>

#include "groups.h"

/* A report fits two screens, however many findings there are. */
enum {
  GROUPS = 8, /* that are shown in full, */
  WORDS = 3,  /* with as many words, */
  LINES = 3,  /* and lines of a policy each; */
  FRAMES = 6, /* of a stack */
  NAMES = 12, /* of the others those are named */
  VALUES = 3  /* of a word */
};

const struct cause_text cause_texts[FIND_CAUSES] = {
    [FIND_MOVES] =
        {"moves", "leads to another place in the library in each run, or nowhere",
         "It depends on addresses (a cache or a table indexed by them), and at load all\n"
         "  addresses are others.",
         "Index by something that is the same in every process, or empty it when init ends;\n"
         "  or give the library a preferred base and use --fixed; if the entries of one run\n"
         "  are right at any address, accept them",
         "keep"},
    [FIND_MIXED] =
        {"mixed", "is an address in the library in one run, and something else in another",
         "It may be a pointer, or what is left of one where smaller fields have been written\n"
         "  over it; the state of one run cannot be kept without knowing which.",
         "Clear memory before it is used again, index by something that is the same in every\n"
         "  process, or empty it when init ends; if cleared bytes will do, accept that",
         "zero"},
    [FIND_BASE] =
        {"base", "follows the load address, but is no pointer into the library",
         "It was computed from an address (a hash, or a pointer in disguise), and would be\n"
         "  that of a process that is gone.",
         "Compute it at first use, or from something that is no address; or give the library a\n"
         "  preferred base and use --fixed; if the value of one run is right at any address,\n"
         "  accept it",
         "keep"},
    [FIND_MODULE] =
        {"module", "points into another module, at no symbol that it exports",
         "The next process has that module elsewhere, and no name says where in it; it has\n"
         "  no build-id either, by which a process could be told to have the same one, or it\n"
         "  keeps something there for itself, which is not frozen (libc).",
         "Take the address of an exported symbol, get the pointer at first use, or link that\n"
         "  module with -Wl,--build-id; if the library gets it again when it is null, accept that",
         "zero"},
    [FIND_STACK] =
        {"stack", "points to the stack of the process that ran init",
         "The process that loads the library has another stack.",
         "Copy what is there, or get the pointer at first use; if the library gets it again\n"
         "  when it is null, accept that",
         "zero"},
    [FIND_HEAP] =
        {"foreign heap", "points to memory that somebody else allocated, such as an open FILE",
         "That memory is not part of the library; where it is loaded, something else or\n"
         "  nothing is there.",
         "Give it back before init ends and get it at first use, or link what allocates it\n"
         "  into the library (C++: -static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL); if\n"
         "  the library gets it again when it is null, accept that",
         "zero"},
    [FIND_THREAD] =
        {"thread", "points to the thread that ran init, or to a thread-local variable",
         "The program that is started has them at another address.",
         "Link it with -Wl,-u,urf_tls, which has such pointers follow; or get them at first\n"
         "  use; if the program gets it again when it is null, accept that",
         "zero"},
    [FIND_MAPPING] = {"mapping", "points to a mapping that is not part of the library",
                      "Where the library is loaded, something else or nothing is there.",
                      "Map it at first use; if the library does so when it is null, accept that",
                      "zero"},
    [FIND_VARIES] =
        {"varies", "is not the same in every run",
         "A time, a process id, a random number, or what was made of one or of an address:\n"
         "  every process would have that of the freeze.  No seed or key must come to that.",
         "Set it at first use, or in a function of URF_ON_THAW (urf.h); or, if it was made of an\n"
         "  address in the library, give that a preferred base and use --fixed; if the value of\n"
         "  one run will do for all, accept it (with the action zero instead of keep: as cleared\n"
         "  bytes)",
         "keep"},
    [FIND_REFUSED] = {"refused", "must not be frozen",
                      "It is not as it was before init, and the frozen file would hold it.",
                      "Clear it before init ends or in a function of URF_ON_FREEZE, mark the "
                      "variable\n"
                      "  URF_TRANSIENT, or take the line out of the policy.",
                      NULL},
};

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

static const struct {
  enum thing thing;
  const char *name;
} things[] = {
    {THING_ADDRESS, "addresses"},
    {THING_TIME, "the time"},
    {THING_PROCESS, "the process id"},
    {THING_RANDOM, "random numbers (getrandom, AT_RANDOM, /dev/urandom)"},
    {THING_CPU, "the CPU time that init has used"},
    {THING_COUNTER, "the processor's time stamp counter"},
    {THING_NAME, "the name of the program"},
    {THING_OTHER,
     "what turf cannot hold still (random numbers of the processor, getrusage, threads "
     "that race)"},
};

char *report_things(unsigned set)
{
  static const char nothing[] = "nothing that turf has varied: a file, another process, or chance";
  struct bytes text = {0};
  for (size_t i = 0; i < sizeof things / sizeof *things; i++) {
    if (!(set & things[i].thing))
      continue;
    put_bytes(&text, " and ", text.n ? 5 : 0);
    put_bytes(&text, things[i].name, strlen(things[i].name));
  }
  if (!set)
    put_bytes(&text, nothing, strlen(nothing));
  put_bytes(&text, "", 1);
  return (char *)text.at;
}

/* "    head text" with a line's end, and frees the text. */
static void print_line(FILE *f, const char *head, char *text)
{
  fprintf(f, "    %s%s\n", head, text);
  free(text);
}

static void print_word(FILE *f, const struct report *r, const struct entry *x)
{
  const bool secret = x->finding->cause == FIND_REFUSED;
  char *place = place_of(&x->subject, r->runs, x->lo), *field = entry_field(r, x);
  fprintf(f, "    %s%s%s%s", field ? field : "", field ? ", " : "", place, secret ? "" : ":");
  free(field);
  free(place);
  for (size_t run = 0; run < r->n && run < VALUES && !secret; run++) {
    char *value = entry_value(r, x, run);
    fprintf(f, " %s", value);
    free(value);
  }
  if (*x->finding->what)
    fprintf(f, ", in %s", x->finding->what);
  fputc('\n', f);
}

static void print_lines(FILE *f, struct report *r, const struct group *g)
{
  size_t i = g->first;
  for (unsigned n = 0; n < LINES && i < g->end; n++)
    print_line(f, n ? "               " : "to accept it:  ", policy_text(r, &i, g->end));
  if (i < g->end)
    fputs("                   and so on; `turf check --suggest` prints all\n", f);
}

/* Of a long one both ends. */
static void print_stack(FILE *f, const struct frames *stack)
{
  const size_t n = stack->list.n, half = FRAMES / 2;
  for (size_t i = 0; i < n; i++) {
    char *text = frame_text(&stack->list.at[i]);
    if (n > FRAMES && i == half) {
      free(text);
      text = xprintf("... %zu more ...", n - FRAMES);
      i = n - half - 1;
    }
    print_line(f, i ? "               " : "allocated by:  ", text);
  }
}

static void print_group(FILE *f, struct report *r, const struct group *g)
{
  const size_t n = g->end - g->first;
  const struct entry *x = g->example;
  char *title = group_title(r, g), *route = entry_route(r, x);
  fputs(title, f);
  free(title);
  if (g->blocks > 1)
    fprintf(f, "; %zu words in %zu blocks", n, g->blocks);
  else if (n > WORDS)
    fprintf(f, "; %zu words", n);
  fputc('\n', f);
  for (size_t i = 0; i < WORDS && x + i < &r->entries[g->end]; i++)
    print_word(f, r, x + i);
  if (route)
    print_line(f, "reached by:    ",
               *route ? xstrdup(route) : xstrdup("no pointer that turf has found; a leak?"));
  free(route);
  print_stack(f, &g->stack);
  if (g->varies || x->finding->cause == FIND_VARIES)
    print_line(f, "varies with ", report_things(g->varies));
  if (cause_texts[x->finding->cause].action)
    print_lines(f, r, g);
  fputc('\n', f);
}

/* Groups that there is no room for. */
static void print_others(FILE *f, const struct report *r, size_t i, size_t end)
{
  size_t words = 0;
  const char *before = "";
  for (size_t j = i; j < end; j++)
    words += r->groups.at[j].end - r->groups.at[j].first;
  fprintf(f, "%zu words in %zu other places: ", words, end - i);
  for (size_t n = 0; n < NAMES && i < end; n++, i++, before = ", ") {
    char *name = group_name(r, &r->groups.at[i]);
    fprintf(f, "%s%s", before, name);
    free(name);
  }
  fprintf(f, i < end ? ", and %zu more%s\n" : "%.0zu%s\n", end - i,
          "; `turf check --json` lists all");
}

/* The groups from i on that have one cause; returns where they end. */
static size_t print_cause(FILE *f, struct report *r, size_t i, size_t room)
{
  const enum cause cause = r->groups.at[i].example->finding->cause;
  size_t end = i;
  while (end < r->groups.n && r->groups.at[end].example->finding->cause == cause)
    end++;
  for (size_t n = 0; n < room && i < end; n++)
    print_group(f, r, &r->groups.at[i++]);
  if (i < end)
    print_others(f, r, i, end);
  fprintf(f, "  %s\n  %s\n%s\n", cause_texts[cause].why, cause_texts[cause].cure,
          cause_texts[cause].action ? "  with a line as above in the file of --policy\n" : "");
  return end;
}

static size_t count_causes(const struct report *r)
{
  bool seen[FIND_CAUSES] = {false};
  size_t n = 0;
  for (size_t i = 0; i < r->groups.n; i++) {
    n += !seen[r->groups.at[i].example->finding->cause];
    seen[r->groups.at[i].example->finding->cause] = true;
  }
  return n;
}

void report_findings(FILE *f, struct report *r, bool all)
{
  const size_t causes = count_causes(r);
  const size_t room = all ? SIZE_MAX : causes && causes < GROUPS ? GROUPS / causes : 1;
  for (size_t i = 0; i < r->groups.n;)
    i = print_cause(f, r, i, room);
}

void report_suggest(FILE *f, struct report *r)
{
  for (size_t i = 0; i < r->groups.n; i++) {
    const struct group *g = &r->groups.at[i];
    const bool can = cause_texts[g->example->finding->cause].action;
    char *title = group_title(r, g);
    fprintf(f, "# %s\n", title);
    free(title);
    for (size_t j = g->first; j < g->end && can;) {
      char *line = policy_text(r, &j, g->end);
      fprintf(f, "%s\n", line);
      free(line);
    }
  }
}
