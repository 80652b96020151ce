/* The policy file: its lines, and the bytes of a capture that each of them means. */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "owner.h"

/* WHAT in its parts. */
struct target {
  char *
      name; /* of a symbol, of a part of the region, of a function, or of a kind of thing outside */
  bool process, data, heap, all, has_nth, has_offset, has_size;
  uint64_t nth, offset, size; /* nth 0 with all, 1 when it is not there */
};

static const struct {
  const char *word;
  enum action action;
} actions[] = {
    {"zero", ACT_ZERO},     {"keep", ACT_KEEP},     {"transient", ACT_TRANSIENT},
    {"rethaw", ACT_RETHAW}, {"refuse", ACT_REFUSE},
};
#define ACTION_NAMES "zero, keep, transient, rethaw or refuse"

/* Adds "FILE:LINE: message" to the complaints, which are shown all at once. */
__attribute__((format(printf, 4, 5))) static void complain(struct bytes *b, const struct policy *p,
                                                           unsigned line, const char *format, ...)
{
  va_list ap;
  va_start(ap, format);
  char *text = xvprintf(format, ap);
  va_end(ap);
  char *whole = xprintf("%s%s:%u: %s", b->n ? "\n" : "", p->path, line, text);
  put_bytes(b, whole, strlen(whole));
  free(whole);
  free(text);
}

/* 0, or the refusal made of the complaints, which are freed. */
static int refuse(struct bytes *b, struct error *e)
{
  int status = 0;
  if (b->n)
    status = fail(e, REFUSED, "%.*s", (int)b->n, (const char *)b->at);
  free(b->at);
  return status;
}

/* All of s is a number, decimal or 0x-hex. */
static bool number(const char *s, uint64_t *n)
{
  bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
  const char *digits = hex ? s + 2 : s, *valid = hex ? "0123456789abcdefABCDEF" : "0123456789";
  if (!*digits || digits[strspn(digits, valid)])
    return false;
  errno = 0;
  *n = strtoull(digits, NULL, hex ? 16 : 10);
  return !errno;
}

/* NULL, or what is wrong with it; t->name is to be freed either way. */
static const char *parse_target(struct target *t, const char *what)
{
  *t = (struct target){.nth = 1, .heap = strncmp(what, "heap:", 5) == 0};
  t->process = strncmp(what, "process:", 8) == 0;
  t->data = strncmp(what, "data:", 5) == 0;
  t->name = xstrdup(t->heap || t->data ? what + 5 : t->process ? what + 8 : what);
  if (t->process)
    return outside_is_kind(t->name) ? NULL : "turf knows of no such thing outside the library";
  if (t->data)
    return *t->name && *t->name != ':' ? NULL : "the module is missing, as in data:libc.so.6:NAME";
  char *offset = strchr(t->name, '+'), *size = NULL, *nth;
  if (offset) {
    *offset++ = 0;
    if ((size = strchr(offset, ':')))
      *size++ = 0;
  }
  if (strchr(t->name, ':'))
    return "a SIZE needs an OFFSET before it, as in SYMBOL+0:8";
  t->has_offset = offset != NULL;
  t->has_size = size != NULL;
  if (offset && !number(offset, &t->offset))
    return "the OFFSET is not a number";
  if (size && (!number(size, &t->size) || !t->size))
    return "the SIZE is not a number above 0";
  if ((nth = strrchr(t->name, '#'))) {
    *nth++ = 0;
    t->has_nth = true;
    t->all = t->heap && strcmp(nth, "*") == 0;
    if (!t->all && (!number(nth, &t->nth) || !t->nth))
      return "what follows # is neither * nor a number above 0";
  }
  return *t->name ? NULL : "the name is missing";
}

/* The next word of *at, ended in place, or "". */
static char *next_word(char **at)
{
  char *word = *at + strspn(*at, " \t");
  *at = word + strcspn(word, " \t");
  if (**at)
    *(*at)++ = 0;
  return word;
}

static bool is_placeholder(const char *reason)
{
  const char *last = strrchr(reason, ' '), *tab = strrchr(reason, '\t');
  if (tab && (!last || tab > last))
    last = tab;
  return strcmp(last ? last + 1 : reason, "REASON") == 0;
}

static enum action find_action(struct bytes *b, const struct policy *p, unsigned line,
                               const char *what, const char *word)
{
  size_t i = 0, n = sizeof actions / sizeof *actions;
  while (i < n && strcmp(actions[i].word, word) != 0)
    i++;
  if (i < n)
    return actions[i].action;
  if (*word)
    complain(b, p, line, "%s: unknown action %s; an action is " ACTION_NAMES, what, word);
  else
    complain(b, p, line, "%s: no action; a line is WHAT ACTION REASON, an action " ACTION_NAMES,
             what);
  return ACT_NONE;
}

static void parse_line(struct policy *p, struct bytes *b, char *text, unsigned line)
{
  struct target t = {0};
  size_t n = strlen(text);
  while (n && strchr(" \t\r\n", text[n - 1]))
    text[--n] = 0;
  char *what = next_word(&text), *word;
  if (!*what || *what == '#')
    return;
  const char *wrong = parse_target(&t, what);
  enum action action = ACT_NONE;
  word = next_word(&text);
  text += strspn(text, " \t");
  if (wrong)
    complain(b, p, line, "%s: %s", what, wrong);
  else if ((t.process || t.data) && strcmp(word, "keep") != 0)
    complain(b, p, line, "%s: only the action keep is for what is outside the library", what);
  else if ((action = find_action(b, p, line, what, word)) == ACT_NONE)
    ;
  else if (action == ACT_TRANSIENT && t.heap)
    complain(b, p, line, "%s: memory has no initialiser to start from again; zero clears it", what);
  else if (!*text)
    complain(b, p, line, "%s: a reason is required behind the action: why is it right?", what);
  else if (is_placeholder(text))
    complain(b, p, line, "%s: put the reason in place of the word REASON: why is it right?", what);
  else {
    struct policy_line *l = PUSH(&p->lines);
    *l = (struct policy_line){.what = xstrdup(what),
                              .reason = xstrdup(text),
                              .action = action,
                              .file = p->path,
                              .line = line};
    l->process = t.process ? l->what + 8 : NULL;
    l->data = t.data ? l->what + 5 : NULL;
  }
  free(t.name);
}

int policy_read(struct policy *p, const char *path, struct error *e)
{
  char *text = NULL;
  size_t cap = 0;
  unsigned line = 0;
  struct bytes wrong = {0};
  ssize_t n;
  int status = 0;
  *p = (struct policy){.path = xstrdup(path)};
  FILE *f = fopen(path, "re");
  if (!f)
    return fail_errno(e, path, "cannot open the policy");
  while (errno = 0, (n = getline(&text, &cap, f)) >= 0) {
    line++;
    if (strlen(text) != (size_t)n)
      complain(&wrong, p, line, "there is a NUL byte in this line");
    else
      parse_line(p, &wrong, text, line);
  }
  if (!feof(f))
    status = fail_errno(e, path, "cannot read the policy");
  fclose(f);
  free(text);
  return refuse(&wrong, e) || status ? -1 : 0;
}

/* Finds [*start, *end) of .data, .bss or .urf.heap. */
static bool find_part(const struct library *lib, const struct capture *c, const char *name,
                      uint64_t *start, uint64_t *end)
{
  const struct urf_note *note = &lib->note;
  const struct {
    const char *name;
    uint64_t start, end;
  } parts[] = {{".data", note->data, note->bss},
               {".bss", note->bss, note->heap},
               {".urf.heap", note->heap, note->data + c->size}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (strcmp(parts[i].name, name) == 0) {
      *start = parts[i].start;
      *end = parts[i].end;
      return true;
    }
  return false;
}

static bool is_function(const struct library *lib, const char *name)
{
  for (size_t i = 0; i < lib->symbols.n; i++)
    if (strcmp(lib->symbols.at[i].name, name) == 0)
      return true;
  return false;
}

/* A range may end in the word in which the symbol or block ends: words are what is compared. */
static const char *bind_range(struct policy_line *l, const struct target *t,
                              const struct library *lib, const struct capture *c, uint64_t start,
                              uint64_t end)
{
  uint64_t lo = lib->note.data, hi = lo + c->size, room = hi - start;
  if (start < lo || start >= hi)
    return "is not in .data, .bss or the heap, so it is not frozen";
  if (end == start && !t->has_size)
    return "has no size in the symbol table; write SYMBOL+OFFSET:SIZE";
  if (end != start && end < hi)
    room = (end + lib->form.word - 1) / lib->form.word * lib->form.word - start;
  uint64_t size = t->has_size ? t->size : end - start - t->offset;
  if ((end != start && t->offset >= end - start) || t->offset >= room || size > room - t->offset)
    return "does not reach that far";
  *PUSH(&l->ranges) = (struct range){.offset = start + t->offset - lo, .size = size};
  return NULL;
}

static int compare_ranges(const void *a, const void *b)
{
  const struct range *x = a, *y = b;
  return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The one block that is meant, or all that are long enough, of those that were last allocated from within
 * the function or, where no symbol covers the caller, for a call that returns to the address; *n is
 * how many those are. */
static const char *bind_blocks(struct policy_line *l, const struct target *t,
                               const struct owners *o, const struct capture *c, size_t *n)
{
  const char *wrong = NULL;
  uint64_t caller = 0;
  struct owner_block *const *b = owners_made(o, t->name, 0, n);
  if (!*n && number(t->name, &caller))
    b = owners_made(o, NULL, caller, n);
  for (size_t i = t->all ? 0 : t->nth - 1; i < *n && (t->all || i < t->nth); i++)
    wrong = bind_range(l, t, o->lib, c, b[i]->start, b[i]->start + b[i]->size);
  sort(l->ranges.at, l->ranges.n, sizeof *l->ranges.at, compare_ranges);
  return l->ranges.n ? NULL : wrong;
}

/* NULL, or what is wrong, owned by the caller. */
static char *find_symbol(const struct target *t, struct owners *o, uint64_t *start, uint64_t *end)
{
  const char *path = o->lib->path;
  size_t n;
  const struct symbol *const *named = owners_named(o, t->name, &n);
  if (!n && is_function(o->lib, t->name))
    return xprintf("%s is not in .data, .bss or the heap, so it is not frozen", t->name);
  if (!n)
    return xprintf("%s has no symbol %s", path, t->name);
  if (n > 1 && !t->has_nth)
    return xprintf("%s has %zu variables of that name: write %s#1 for the first", path, n, t->name);
  if (t->nth > n)
    return xprintf("%s has %zu variable%s of that name", path, n, n == 1 ? "" : "s");
  *start = named[t->nth - 1]->value;
  *end = *start + named[t->nth - 1]->size;
  return NULL;
}

static char *bind_symbol(struct policy_line *l, const struct target *t, struct owners *o,
                         const struct capture *c)
{
  uint64_t start = 0, end = 0;
  const bool is_part = !t->has_nth && find_part(o->lib, c, t->name, &start, &end);
  if (is_part && l->action == ACT_TRANSIENT)
    return xstrdup("a variable can be transient, not a part of the library");
  if (!is_part) {
    char *wrong = find_symbol(t, o, &start, &end);
    if (wrong)
      return wrong;
  }
  const char *wrong = bind_range(l, t, o->lib, c, start, end);
  return wrong ? xprintf("%s %s", t->name, wrong) : NULL;
}

/* What is refused may be there or not. */
static char *bind_heap(struct policy_line *l, const struct target *t, const struct owners *o,
                       const struct capture *c)
{
  size_t n;
  const char *wrong = bind_blocks(l, t, o, c, &n);
  if (wrong)
    return xprintf("%s %s", t->name, wrong);
  if (!l->ranges.n && (l->action != ACT_REFUSE || !is_function(o->lib, t->name)))
    return xprintf("%s has %zu block%s after init", t->name, n, n == 1 ? "" : "s");
  return NULL;
}

/* Whether the address lies inside of a word that the dynamic linker writes. */
static bool is_in_slot(const struct library *lib, uint64_t address)
{
  const size_t n = COUNT_BELOW(&lib->slots, address, address);
  return n && address < lib->slots.at[n - 1].address + lib->form.word;
}

static bool cuts_slot(const struct policy_line *l, const struct library *lib)
{
  for (size_t r = 0; r < l->ranges.n; r++) {
    const uint64_t start = lib->note.data + l->ranges.at[r].offset;
    if (is_in_slot(lib, start) || is_in_slot(lib, start + l->ranges.at[r].size))
      return true;
  }
  return false;
}

static void bind_line(const struct policy *p, struct policy_line *l, struct owners *o,
                      const struct capture *c, struct bytes *wrong)
{
  struct target t;
  const char *text = parse_target(&t, l->what);
  char *why = text ? xstrdup(text) : NULL;
  l->ranges.n = 0;
  if (!why && !t.process && !t.data) /* which is about no bytes */
    why = t.heap ? bind_heap(l, &t, o, c) : bind_symbol(l, &t, o, c);
  if (!why && l->action != ACT_KEEP && cuts_slot(l, o->lib))
    why = xstrdup("begins or ends within a pointer that the dynamic linker writes");
  if (!why && l->action == ACT_RETHAW && !c->has_hooks)
    why = xprintf("%s has no function that sets it at load; write one for URF_ON_THAW (urf.h), or "
                  "use zero where the library sets it at first use",
                  o->lib->path);
  if (why)
    complain(wrong, p, l->line, "%s: %s", l->what, why);
  free(why);
  free(t.name);
}

struct claim {
  const struct range *range;
  const struct policy_line *line;
};

static int by_offset(const void *a, const void *b)
{
  const struct claim *x = a, *y = b;
  if (x->range->offset != y->range->offset)
    return x->range->offset < y->range->offset ? -1 : 1;
  return x->line->line < y->line->line ? -1 : x->line->line > y->line->line;
}

/* No two lines may be about one byte: which of them would be right? */
static void check_overlaps(const struct policy *p, struct bytes *wrong)
{
  LIST(struct claim) claims = {0};
  for (size_t i = 0; i < p->lines.n; i++)
    for (size_t r = 0; r < p->lines.at[i].ranges.n; r++)
      *PUSH(&claims) = (struct claim){&p->lines.at[i].ranges.at[r], &p->lines.at[i]};
  sort(claims.at, claims.n, sizeof *claims.at, by_offset);
  for (size_t i = 1; i < claims.n; i++) {
    const struct claim *x = &claims.at[i - 1], *y = &claims.at[i];
    if (x->range->offset + x->range->size <= y->range->offset)
      continue;
    complain(wrong, p, y->line->line, "%s: line %u is about some of these bytes, too",
             y->line->what, x->line->line);
    break;
  }
  free(claims.at);
}

int policy_bind(struct policy *p, const struct library *lib, const struct capture *c,
                struct error *e)
{
  struct bytes wrong = {0};
  struct owners owners;
  owners_init(&owners, lib, c);
  for (size_t i = 0; i < p->lines.n; i++)
    bind_line(p, &p->lines.at[i], &owners, c, &wrong);
  owners_free(&owners);
  check_overlaps(p, &wrong);
  return refuse(&wrong, e);
}

int policy_check_used(const struct policy *p, struct error *e)
{
  static const char *const why[ACTIONS] = {
      [ACT_KEEP] = "nothing there differs between runs or is refused",
      [ACT_ZERO] = "all of it is zero in every run",
      [ACT_RETHAW] = "all of it is zero in every run",
      [ACT_TRANSIENT] = "init leaves it as it starts",
  };
  struct bytes wrong = {0};
  for (size_t i = 0; i < p->lines.n; i++)
    if (!p->lines.at[i].used)
      complain(&wrong, p, p->lines.at[i].line, "%s: %s; remove the line", p->lines.at[i].what,
               why[p->lines.at[i].action]);
  return refuse(&wrong, e);
}

void policy_free(struct policy *p)
{
  for (size_t i = 0; i < p->lines.n; i++) {
    free(p->lines.at[i].what);
    free(p->lines.at[i].reason);
    free(p->lines.at[i].ranges.at);
  }
  free(p->lines.at);
  free(p->path);
  *p = (struct policy){0};
}
