/* What init has changed in variables of other modules, as memory.c tells it: every change gets a name, and is
 * refused unless a line of the policy accepts that name. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

enum { SHOWN = 12 };

/* A stretch of bytes in one variable, or in none that is known. */
struct change {
  const char *path;
  uint64_t offset, size; /* from the module's load bias, or in its thread-local variables */
  bool tls;
  uint64_t was, now; /* up to 8 bytes from the start of the line that told of it */
  bool whole;        /* that line was about nothing else */
  char *name;        /* for a policy: an exported variable, a function, or OFFSET:SIZE */
  bool calls;        /* it is a function */
  char *variable;    /* by the debug information, or NULL */
};

struct changes {
  LIST(struct change) list;
};

static const char *module_of(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Of two variables that end behind an offset: the one that starts before it, or first; of several
 * names for it that with fewer underscores. */
static bool is_better(const struct named *a, const struct named *b, uint64_t offset)
{
  const uint64_t x = a->value > offset ? a->value : offset;
  const uint64_t y = b->value > offset ? b->value : offset;
  if (x != y)
    return x < y;
  if (a->size != b->size)
    return a->size < b->size;
  const size_t m = strspn(a->name, "_"), n = strspn(b->name, "_");
  return m != n ? m < n : strcmp(a->name, b->name) < 0;
}

/* The variable at the offset, or the next one behind it; NULL for none. */
static const struct named *name_at(const struct variables *n, uint64_t offset, bool tls,
                                   bool exported)
{
  const struct named *best = NULL;
  for (size_t i = 0; i < n->list.n; i++) {
    const struct named *x = &n->list.at[i];
    if (x->tls == tls && x->size && x->exported >= exported && x->value + x->size > offset &&
        (!best || is_better(x, best, offset)))
      best = x;
  }
  return best;
}

static bool covers(const struct named *n, uint64_t offset)
{
  return n && n->value <= offset;
}

/* The first part of a stretch, up to the end of a variable or the start of another one. */
static uint64_t add_part(struct changes *c, const struct variables *n, const struct change *whole,
                         const char *label)
{
  struct change part = *whole;
  const struct named *exported = name_at(n, part.offset, part.tls, true);
  const struct named *any = name_at(n, part.offset, part.tls, false);
  uint64_t end = part.offset + part.size;
  const struct named *next = covers(exported, part.offset) ? exported : any;
  const uint64_t limit = !next                       ? end
                         : covers(next, part.offset) ? next->value + next->size
                                                     : next->value;
  if (limit < end)
    end = limit;
  part.size = end - part.offset;
  /* names with an underscore are libc's own */
  const bool is_public = covers(exported, part.offset) && *exported->name != '_';
  part.calls = !is_public && strcmp(label, "-") != 0;
  part.variable = covers(any, part.offset) ? xstrdup(any->name) : NULL;
  part.name =
      part.calls ? xstrdup(label)
      : covers(exported, part.offset)
          ? xstrdup(exported->name)
          : xprintf("%s0x%" PRIx64 ":%" PRIu64, part.tls ? "tls+" : "", part.offset, part.size);
  *PUSH(&c->list) = part;
  return part.size;
}

static void add_line(struct changes *c, const struct variables *n, const struct change *told,
                     const char *label)
{
  struct change rest = *told;
  while (rest.size) {
    const uint64_t done = add_part(c, n, &rest, label);
    c->list.at[c->list.n - 1].whole = done == told->size;
    rest.offset += done;
    rest.size -= done;
  }
}

/* One line of memory.h; false when it is another. */
static bool parse(struct change *x, char label[64], const char *line)
{
  unsigned tls;
  int path = 0;
  *x = (struct change){0};
  if (sscanf(line, "+data %" SCNx64 " %" SCNx64 " %u %" SCNx64 " %" SCNx64 " %63s %n", &x->offset,
             &x->size, &tls, &x->was, &x->now, label, &path) != 6 ||
      !path)
    return false;
  x->tls = tls;
  x->path = line + path;
  return true;
}

static void read_changes(struct changes *c, const struct capture *run)
{
  struct variables names = {0};
  struct change x;
  const char *path = "";
  char label[64];
  for (size_t i = 0; i < run->world.n; i++) {
    if (!parse(&x, label, run->world.at[i]))
      continue;
    if (strcmp(x.path, path) != 0) {
      variables_free(&names);
      variables_read(&names, x.path, !run->lib->is_static);
      path = x.path;
    }
    add_line(c, &names, &x, label);
  }
  variables_free(&names);
}

static void changes_free(struct changes *c)
{
  for (size_t i = 0; i < c->list.n; i++) {
    free(c->list.at[i].name);
    free(c->list.at[i].variable);
  }
  free(c->list.at);
  *c = (struct changes){0};
}

/* Whether WHAT of a policy, "MODULE", "MODULE:NAME" or "MODULE:OFFSET:SIZE", is about the change. */
static bool is_about(const char *what, const struct change *x)
{
  const char *module = module_of(x->path);
  const size_t n = strlen(module);
  uint64_t offset, size;
  if (strncmp(what, module, n) != 0 || (what[n] && what[n] != ':'))
    return false;
  if (!what[n])
    return true;
  what += n + 1;
  if (strcmp(what, x->name) == 0 || (x->variable && strcmp(what, x->variable) == 0))
    return true;
  if (x->tls && strncmp(what, "tls+", 4) == 0)
    what += 4;
  else if (x->tls)
    return false;
  return sscanf(what, "0x%" SCNx64 ":%" SCNu64, &offset, &size) == 2 && x->offset >= offset &&
         x->offset - offset <= size && x->size <= size - (x->offset - offset);
}

static bool accepted(struct policy *policy, const struct change *x)
{
  bool is = false;
  for (size_t i = 0; policy && i < policy->lines.n; i++)
    if (policy->lines.at[i].data && is_about(policy->lines.at[i].data, x))
      is = policy->lines.at[i].used = true;
  return is;
}

/* What a C library in a program has found out once and would find out again; without a policy that names it
 * there would be a line for every init that looks at a clock. */
static bool is_cache(const struct capture *run, const struct change *x)
{
  static const char *const caches[] = {
      "vdso_func",              /* musl: where clock_gettime is */
      "phys_pages", "pagesize", /* glibc's qsort */
  };
  for (size_t i = 0; run->lib->is_static && x->variable && i < sizeof caches / sizeof *caches; i++)
    if (strncmp(x->variable, caches[i], strcspn(x->variable, ".")) == 0)
      return true;
  return false;
}

static bool same_name(const struct change *a, const struct change *b)
{
  return strcmp(a->name, b->name) == 0 && strcmp(a->path, b->path) == 0;
}

/* Puts those that no line accepts in front, the first of each name before the rest; returns how many
 * names there are. */
static size_t sift(struct changes *c, const struct capture *run, struct policy *policy)
{
  size_t kept = 0, n = 0;
  for (size_t i = 0; i < c->list.n; i++) {
    struct change x = c->list.at[i];
    if (is_cache(run, &x) || accepted(policy, &x))
      continue;
    c->list.at[i] = c->list.at[kept];
    c->list.at[kept++] = x;
  }
  for (size_t i = 0, j; i < kept; i++) {
    for (j = 0; j < n && !same_name(&c->list.at[j], &c->list.at[i]); j++)
      ;
    if (j < n) {
      c->list.at[j].size += c->list.at[i].size;
      c->list.at[j].whole = false;
      continue;
    }
    struct change x = c->list.at[i];
    c->list.at[i] = c->list.at[n];
    c->list.at[n++] = x;
  }
  return n;
}

static const char *title(const struct capture *run)
{
  return run->lib->is_static ? "init changed variables of the C library in the program"
                             : "init changed variables of other modules";
}

static const char *why(const struct capture *run, const struct changes *c, size_t n)
{
  bool tls = false;
  for (size_t i = 0; i < n; i++)
    tls |= c->list.at[i].tls;
  if (run->lib->is_static && tls && !run->tls)
    return "They are not frozen: thread-local variables of the program are when it is linked with\n"
           "  -Wl,-u,urf_tls; do all else in a function of URF_ON_THAW, or leave it to the first "
           "use";
  return run->lib->is_static
             ? "They are not frozen, as the C library sets them up before anything else: do it in "
               "a function\n  of URF_ON_THAW, or leave it to the first use"
             : "They are not so in the process that loads the frozen library: do it in a function "
               "of\n  URF_ON_THAW, or leave it to the first use";
}

/* Owned by the caller, like the line that accepts it. */
static char *describe(const struct change *x)
{
  const char *variable = x->variable && strcmp(x->variable, x->name) != 0 ? x->variable : NULL;
  char *bytes = x->whole && x->size <= sizeof x->was
                    ? xprintf("0x%" PRIx64 " before, 0x%" PRIx64 " now", x->was, x->now)
                    : xprintf("%" PRIu64 " bytes", x->size);
  char *text =
      xprintf("%s: %s%s%s%s%s%s, %s", module_of(x->path), x->calls ? "what " : "",
              x->tls && !x->calls ? "thread-local " : "", x->name, x->calls ? " keeps" : "",
              variable ? " in " : "", variable ? variable : "", bytes);
  free(bytes);
  return text;
}

static char *policy_line(const struct change *x)
{
  return xprintf("data:%s:%s keep REASON", module_of(x->path), x->name);
}

static void print(FILE *f, const struct capture *run, const struct changes *c, size_t n)
{
  fprintf(f, "%s:\n", title(run));
  for (size_t i = 0; i < n && i < SHOWN; i++) {
    char *text = describe(&c->list.at[i]);
    fprintf(f, "    %s\n", text);
    free(text);
  }
  if (n > SHOWN)
    fprintf(f, "    and %zu more\n", n - SHOWN);
  fprintf(f, "  %s.\n  If the %s gets along without, lines in the file of --policy:\n",
          why(run, c, n), run->lib->is_static ? "program" : "library");
  for (size_t i = 0; i < n && i < SHOWN; i++) {
    char *line = policy_line(&c->list.at[i]);
    fprintf(f, "    %s\n", line);
    free(line);
  }
  fprintf(f, "\n");
}

size_t others_check(FILE *f, FILE *suggestions, const struct capture *run, struct policy *policy)
{
  struct changes c = {0};
  read_changes(&c, run);
  const size_t n = sift(&c, run, policy);
  if (n && f)
    print(f, run, &c, n);
  for (size_t i = 0; i < n && suggestions; i++) {
    char *text = describe(&c.list.at[i]), *line = policy_line(&c.list.at[i]);
    fprintf(suggestions, "# %s: %s\n%s\n", title(run), text, line);
    free(text);
    free(line);
  }
  changes_free(&c);
  return n;
}

void others_json(json_t *list, const struct capture *run, struct policy *policy)
{
  struct changes c = {0};
  read_changes(&c, run);
  const size_t n = sift(&c, run, policy);
  for (size_t i = 0; i < n; i++) {
    char *text = describe(&c.list.at[i]), *line = policy_line(&c.list.at[i]);
    json_t *x = json_object(), *now = json_array();
    json_array_append_new(now, json_text(text));
    json_put(x, "kind", json_text("data"));
    json_put(x, "title", json_text(title(run)));
    json_put(x, "why", json_paragraph(why(run, &c, n)));
    json_put(x, "now", now);
    json_put(x, "before", json_array());
    json_put(x, "policy", json_text(line));
    json_array_append_new(list, x);
    free(text);
    free(line);
  }
  changes_free(&c);
}
