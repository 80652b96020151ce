/* What init has changed in its process besides the library's memory: nothing of it is in the process
 * that loads the frozen library. */

#include <stdlib.h>
#include <string.h>

#include "json.h"

enum { SHOWN = 4 };

/* Kinds of lines of world.c, by their first word. */
static const struct {
  const char *word, *title, *why;
} kinds[] = {
    {"fd", "init left files open, or closed some",
     "A descriptor is nothing but a number in another process: close it before init ends, and "
     "open\n"
     "  it at first use"},
    {"module", "init loaded modules",
     "They are not there when the library is loaded: link it with them, or load them at first use"},
    {"environment", "init changed the environment", "Set it in a function of URF_ON_THAW"},
    {"cwd", "init changed the working directory", "Change it in a function of URF_ON_THAW"},
    {"umask", "init changed the umask", "Set it in a function of URF_ON_THAW"},
    {"locale", "init changed the locale", "Set it in a function of URF_ON_THAW"},
    {"blocked", "init changed which signals are blocked",
     "Block them in a function of URF_ON_THAW"},
    {"handler", "init set signal handlers", "Set them in a function of URF_ON_THAW"},
    {"rlimit", "init changed resource limits", "Set them in a function of URF_ON_THAW"},
    {"timer", "init set timers", "Set them in a function of URF_ON_THAW"},
    {"stream", "init left something in a standard stream, or changed its mode",
     "It is lost with the process: call fflush before init ends, and setvbuf and its like in a\n"
     "  function of URF_ON_THAW"},
    {"timezone", "init changed the time zone", "Call tzset in a function of URF_ON_THAW"},
    {"float", "init changed how its thread computes with floating-point numbers",
     "Set it (fesetround, feenableexcept, _mm_setcsr) in a function of URF_ON_THAW, and in every\n"
     "  thread that needs it"},
    {"name", "init changed the name of its thread", "Set it in a function of URF_ON_THAW"},
    {"credentials", "init changed user, groups or capabilities",
     "The program that loads the library decides on that"},
    {"seccomp", "init installed a filter of system calls",
     "Install it in a function of URF_ON_THAW"},
    {"affinity", "init changed which processors its thread may run on",
     "Set it in a function of URF_ON_THAW"},
    {"priority", "init changed the priority or scheduling of its thread",
     "Set it in a function of URF_ON_THAW"},
    {"pending", "init left signals pending",
     "They are lost with the process: have init wait for them"},
    {"cancel", "init changed how its thread is cancelled", "Set it in a function of URF_ON_THAW"},
    {"namespace", "init moved into another namespace",
     "The program that loads the library decides on that"},
    {"prctl", "init changed attributes of its process (prctl, personality)",
     "Set them in a function of URF_ON_THAW"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static bool is_of(const char *line, const char *word)
{
  const size_t n = strlen(word);
  return strncmp(line + 1, word, n) == 0 && line[1 + n] == ' ';
}

bool outside_is_kind(const char *word)
{
  if (strcmp(word, "cpu") == 0) /* see cpu.c */
    return true;
  for (size_t i = 0; i < KINDS; i++)
    if (strcmp(kinds[i].word, word) == 0)
      return true;
  return false;
}

bool outside_accepts(struct policy *policy, const char *word)
{
  for (size_t i = 0; policy && i < policy->lines.n; i++)
    if (policy->lines.at[i].process && strcmp(policy->lines.at[i].process, word) == 0) {
      policy->lines.at[i].used = true;
      return true;
    }
  return false;
}

static void print_kind(FILE *f, const struct capture *c, size_t kind)
{
  size_t n = 0;
  for (size_t i = 0; i < c->world.n; i++) {
    const char *line = c->world.at[i];
    if (!is_of(line, kinds[kind].word))
      continue;
    if (!n++)
      fprintf(f, "%s:\n", kinds[kind].title);
    if (n <= SHOWN)
      fprintf(f, "    %s: %s\n", *line == '+' ? "now" : "before", line + 1);
  }
  if (n > SHOWN)
    fprintf(f, "    and %zu more\n", n - SHOWN);
  fprintf(f,
          "  %s.\n  If the library gets along without, a line in the file of --policy:\n"
          "    process:%s keep REASON\n\n",
          kinds[kind].why, kinds[kind].word);
}

static bool has_kind(const struct capture *c, const char *word)
{
  for (size_t i = 0; i < c->world.n; i++)
    if (is_of(c->world.at[i], word))
      return true;
  return false;
}

size_t outside_check(FILE *f, FILE *suggestions, const struct capture *c, struct policy *policy)
{
  size_t n = 0;
  for (size_t kind = 0; kind < KINDS; kind++) {
    if (!has_kind(c, kinds[kind].word) || outside_accepts(policy, kinds[kind].word))
      continue;
    if (f)
      print_kind(f, c, kind);
    n++;
    if (suggestions)
      fprintf(suggestions, "# %s\nprocess:%s keep REASON\n", kinds[kind].title, kinds[kind].word);
  }
  return n + others_check(f, suggestions, c, policy);
}

json_t *outside_json(const struct capture *c, struct policy *policy)
{
  json_t *list = json_array();
  for (size_t kind = 0; kind < KINDS; kind++) {
    if (!has_kind(c, kinds[kind].word) || outside_accepts(policy, kinds[kind].word))
      continue;
    json_t *x = json_object(), *now = json_array(), *before = json_array();
    json_put(x, "kind", json_text(kinds[kind].word));
    json_put(x, "title", json_text(kinds[kind].title));
    json_put(x, "why", json_paragraph(kinds[kind].why));
    for (size_t i = 0; i < c->world.n; i++)
      if (is_of(c->world.at[i], kinds[kind].word))
        json_array_append_new(*c->world.at[i] == '+' ? now : before, json_text(c->world.at[i] + 1));
    json_put(x, "now", now);
    json_put(x, "before", before);
    char *line = xprintf("process:%s keep REASON", kinds[kind].word);
    json_put(x, "policy", json_text(line));
    free(line);
    json_array_append_new(list, x);
  }
  others_json(list, c, policy);
  return list;
}
