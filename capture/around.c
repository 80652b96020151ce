/* What init makes of its environment, of the directory that it runs in and of the date, which are the same in
 * all runs: --env and --cwd say what the first two are.  Who freezes should know when something else would have come out. */

#include <stdlib.h>
#include <string.h>

#include "work.h"

/* What a user's environment has, which init looks for. */
static const char *const variables[] = {
    "HOME=/home/nobody", "USER=nobody",    "LOGNAME=nobody",  "SHELL=/bin/nobody",
    "PATH=/nobody/bin",  "LANG=C.UTF-8",   "TERM=nobody",     "EDITOR=nobody",
    "PWD=/nobody",       "TZ=Nobody-5:30", "NO_COLOR=nobody", "XDG_CONFIG_HOME=/nobody/config",
};

static bool is_set(const struct options *o, const char *variable)
{
  const size_t n = strcspn(variable, "=") + 1;
  for (size_t i = 0; i < o->env.n; i++)
    if (strncmp(o->env.at[i], variable, n) == 0)
      return true;
  return false;
}

struct place_list {
  struct bytes text;
  size_t n;
};

static void add_place(struct place_list *l, const struct work *w, size_t offset)
{
  if (l->n++ >= PLACES)
    return;
  char *place = report_place(&w->lib, &w->runs[0], offset);
  put_bytes(&l->text, ", ", l->n > 1 ? 2 : 0);
  put_bytes(&l->text, place, strlen(place));
  free(place);
}

/* What is not frozen as it is, and what leads to other modules, which the kernel may have placed. */
static void add_mask(struct mask *m, const struct plan *plan)
{
  for (size_t i = 0; i < plan->sites.n; i++)
    if (plan->sites.at[i].kind != SITE_POINTER)
      mask_add(m, plan->sites.at[i].offset, plan->sites.at[i].size);
  for (size_t i = 0; i < plan->keeps.n; i++)
    mask_add(m, plan->keeps.at[i].offset, plan->keeps.at[i].size);
  mask_sort(m);
}

/* The words that differ, but for those. */
static void compare(struct place_list *l, const struct work *w, const struct capture *a,
                    const struct capture *b)
{
  unsigned char room_a[REGION_PAGE], room_b[REGION_PAGE], copy[REGION_PAGE];
  const unsigned word = w->lib.word;
  struct mask mask = {0};
  add_mask(&mask, &w->plan);
  for (size_t at = 0; at < w->plan.size; at += REGION_PAGE) {
    const size_t n = w->plan.size - at < REGION_PAGE ? w->plan.size - at : REGION_PAGE;
    const unsigned char *in_a = region_page(&a->region, at, room_a);
    const unsigned char *in_b = region_page(&b->region, at, room_b);
    if (memcmp(in_a, in_b, n) == 0)
      continue;
    memcpy(copy, in_b, n);
    mask_page(&mask, at, n, copy, in_a);
    for (size_t i = 0; i < n; i += word)
      if (memcmp(in_a + i, copy + i, n - i < word ? n - i : word) != 0)
        add_place(l, w, at + i);
  }
  free(mask.list.at);
}

/* 0 as well when init did not come to its end, which *failed then says. */
static int observe(struct work *w, const struct options *o, int64_t ahead, struct capture *c,
                   bool *failed, struct error *e)
{
  const struct setting setting = {.seed = 1,
                                  .align = w->runs[0].align,
                                  .steady = true,
                                  .layout = w->layout,
                                  .varied = ahead ? THING_TIME : 0,
                                  .ahead = ahead};
  struct error own = {0};
  *failed =
      capture_take(c, o, &w->lib, w->lib.path, &setting, &w->plan.whole, true, w->cache, &own) != 0;
  int status = *failed && own.status != REFUSED ? fail(e, own.status, "%s", own.text) : 0;
  error_free(&own);
  return status;
}

/* With other options than those of base, or so many nanoseconds later: whether that changes anything, and a warning when it does. */
static int try(struct work *w, const struct options *o, int64_t ahead, const struct capture *base,
               const char *what, const char *now, bool *changed, struct error *e)
{
  struct capture c = {0};
  struct place_list l = {0};
  bool failed;
  if (observe(w, o, ahead, &c, &failed, e)) {
    capture_free(&c);
    return -1;
  }
  if (!failed)
    compare(&l, w, base, &c);
  put_bytes(&l.text, "", 1);
  *changed = failed || l.n;
  if (what && failed)
    fprintf(stderr, "turf: %s: warning: init does not succeed with every %s; it is frozen for %s\n",
            w->lib.path, what, now);
  else if (what && l.n)
    fprintf(stderr,
            "turf: %s: warning: %zu word%s with the %s (%s%s); what is frozen is right for %s\n",
            w->lib.path, l.n, l.n == 1 ? " varies" : "s vary", what, (const char *)l.text.at,
            l.n > PLACES ? ", ..." : "", now);
  capture_free(&c);
  free(l.text.at);
  return 0;
}

static int try_both(struct work *w, const struct capture *base, struct error *e)
{
  struct options moved = *w->o, other = *w->o, both;
  bool changed = false;
  moved.cwd = w->o->cwd && strcmp(w->o->cwd, "/usr") == 0 ? "/" : "/usr";
  memset(&other.env, 0, sizeof other.env);
  for (size_t i = 0; i < w->o->env.n; i++)
    *PUSH(&other.env) = w->o->env.at[i];
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
    if (!is_set(w->o, variables[i]))
      *PUSH(&other.env) = variables[i];
  both = other;
  both.cwd = moved.cwd;
  int status = try(w, &both, 0, base, NULL, NULL, &changed, e);
  if (!status && changed)
    status = try(w, &other, 0, base, "environment",
                 "one that holds what --env names and nothing else", &changed, e) ||
                     try(w, &moved, 0, base, "working directory", w->o->cwd ? w->o->cwd : "/",
                         &changed, e)
                 ? -1
                 : 0;
  free(other.env.at);
  return status;
}

/* Runs and causes differ by hours (see clock.c): what init has made of the day, the month and the year is the
 * same in all of them. */
static int try_date(struct work *w, const struct capture *base, struct error *e)
{
  const int64_t day = INT64_C(86400000000000);
  bool changed;
  if (!(process_asked(base->process) & THING_TIME))
    return 0;
  return try(w, w->o, 400 * day, base, "date", "that of the freeze", &changed, e);
}

int look_around(struct work *w, struct error *e)
{
  struct capture base = {0};
  bool failed;
  progress(w, "looking at environment and directory", 0, 0);
  int status = observe(w, w->o, 0, &base, &failed, e);
  if (!status && !failed)
    status = try_both(w, &base, e) || try_date(w, &base, e) ? -1 : 0;
  capture_free(&base);
  return status;
}
