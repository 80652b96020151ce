/* What the image tells of the one who made it: paths of files, the user's name, what turf has in its own
 * environment, which init does not see. */

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "turf.h"

enum { SHORTEST = 8, SHORTEST_PATH = 5, SHORTEST_NAME = 4, PAGE = 4096 };

enum shape { ANYWHERE, PATH, NAME }; /* where such a string may begin and end */

struct needle {
  char *what, *text;
  enum shape shape;
};

struct needles {
  LIST(struct needle) list;
};

extern char **environ;

static void add_needle(struct needles *n, enum shape shape, const char *text, const char *what)
{
  static const size_t shortest[] = {
      [ANYWHERE] = SHORTEST, [PATH] = SHORTEST_PATH, [NAME] = SHORTEST_NAME};
  if (!text || strlen(text) < shortest[shape] || (shape == PATH && *text != '/') ||
      (shape == NAME && strcmp(text, "root") == 0))
    return;
  for (size_t i = 0; i < n->list.n; i++)
    if (strcmp(n->list.at[i].text, text) == 0)
      return;
  *PUSH(&n->list) = (struct needle){xstrdup(what), xstrdup(text), shape};
}

static void add_directory(struct needles *n, const char *path, bool of_file, const char *what)
{
  char *whole = path ? realpath(path, NULL) : NULL, *slash = whole ? strrchr(whole, '/') : NULL;
  if (of_file && slash)
    *slash = 0;
  add_needle(n, PATH, path && !of_file ? path : NULL, what);
  add_needle(n, PATH, whole, what);
  free(whole);
}

/* NAME=VALUE; what it is called is the prefix and the name. */
static void add_variable(struct needles *n, const char *entry, const char *prefix)
{
  const char *equals = strchr(entry, '=');
  if (!equals)
    return;
  char *name = xprintf("%.*s", (int)(equals - entry), entry);
  char *what = xprintf("%s%s", prefix, name);
  add_needle(n, ANYWHERE, equals + 1, what);
  free(what);
  free(name);
}

/* Variables whose values are the same for many. */
static bool is_common(const char *entry)
{
  static const char *const common[] = {"PATH=",      "SHELL=", "TERM=",   "LANG=",   "LANGUAGE=",
                                       "COLORTERM=", "PAGER=", "EDITOR=", "VISUAL=", "_="};
  for (size_t i = 0; i < sizeof common / sizeof *common; i++)
    if (strncmp(entry, common[i], strlen(common[i])) == 0)
      return true;
  return strncmp(entry, "LC_", 3) == 0;
}

static void find_needles(struct needles *n, const struct options *o, const struct library *lib)
{
  const struct passwd *user = getpwuid(getuid());
  add_directory(n, getenv("HOME"), false, "the home directory");
  add_directory(n, user ? user->pw_dir : NULL, false, "the home directory");
  add_directory(n, o->cwd, false, "the directory of --cwd");
  add_directory(n, lib->path, true, "the directory of the library");
  add_directory(n, ".", false, "the directory turf was started in");
  add_needle(n, NAME, user ? user->pw_name : getenv("USER"), "the name of the user");
  for (size_t i = 0; i < o->env.n; i++)
    add_variable(n, o->env.at[i], "the value of --env ");
  for (char **entry = environ; *entry; entry++)
    if (!is_common(*entry))
      add_variable(n, *entry, "the value that turf's own environment has for ");
}

static bool goes_on(enum shape shape, unsigned char c)
{
  return shape != ANYWHERE && (isalnum(c) || c == '_' || (shape == PATH && (c == '.' || c == '-')));
}

/* The next one in [at, end), or NULL; start is the first byte that there is. */
static const unsigned char *next_match(const struct needle *x, const unsigned char *start,
                                       const unsigned char *at, const unsigned char *end)
{
  const size_t size = strlen(x->text);
  while ((at = memmem(at, (size_t)(end - at), x->text, size))) {
    if ((at == start || !goes_on(x->shape, at[-1])) &&
        (at + size == end || !goes_on(x->shape, at[size])))
      return at;
    at++;
  }
  return NULL;
}

/* All in a stretch of the image that has a byte other than zero on each page. */
static void search(struct plan *plan, const struct needles *n, size_t from, size_t to)
{
  const unsigned char *image = plan->image, *end = image + to;
  for (size_t i = 0; i < n->list.n; i++) {
    const struct needle *x = &n->list.at[i];
    for (const unsigned char *at = image + from; (at = next_match(x, image, at, end)); at++)
      *PUSH(&plan->tells) = (struct telltale){
          .offset = (size_t)(at - image), .size = strlen(x->text), .what = xstrdup(x->what)};
  }
}

static bool is_zero(const unsigned char *at, size_t n)
{
  return !*at && memcmp(at, at + 1, n - 1) == 0;
}

/* What a line of the policy keeps is no news. */
static void drop_kept(struct plan *plan, struct policy *policy)
{
  struct cover keeps = {0};
  size_t n = 0;
  for (size_t i = 0; policy && i < policy->lines.n; i++)
    for (size_t r = 0; policy->lines.at[i].action == ACT_KEEP && r < policy->lines.at[i].ranges.n;
         r++)
      cover_add(&keeps, policy->lines.at[i].ranges.at[r].offset,
                policy->lines.at[i].ranges.at[r].size, i);
  cover_sort(&keeps);
  for (size_t i = 0; i < plan->tells.n; i++) {
    struct telltale *t = &plan->tells.at[i];
    size_t line = cover_find(&keeps, t->offset, t->size);
    if (line == SIZE_MAX) {
      plan->tells.at[n++] = *t;
      continue;
    }
    policy->lines.at[line].used = true;
    free(t->what);
  }
  plan->tells.n = n;
  free(keeps.list.at);
}

void strings_find(struct plan *plan, const struct options *o, const struct library *lib,
                  struct policy *policy)
{
  struct needles n = {0};
  find_needles(&n, o, lib);
  for (size_t from = 0, to; from < plan->size; from = to) {
    for (to = from; to < plan->size; to += PAGE) {
      size_t size = plan->size - to < PAGE ? plan->size - to : PAGE;
      if (is_zero(plan->image + to, size))
        break;
    }
    to = to < plan->size ? to : plan->size;
    if (to > from)
      search(plan, &n, from, to);
    else
      to += PAGE;
  }
  drop_kept(plan, policy);
  for (size_t i = 0; i < n.list.n; i++) {
    free(n.list.at[i].what);
    free(n.list.at[i].text);
  }
  free(n.list.at);
}
