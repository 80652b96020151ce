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

/* Places of words, as they are found. */
struct place_list {
  const struct work *w;
  struct bytes text;
  size_t n;
};

static void add_place(void *list, size_t offset)
{
  struct place_list *l = list;
  if (l->n++ >= PLACES)
    return;
  char *place = report_place(&l->w->lib, &l->w->runs[0], offset);
  put_bytes(&l->text, ", ", l->n > 1 ? 2 : 0);
  put_bytes(&l->text, place, strlen(place));
  free(place);
}

/* What is not frozen as it is, and what leads to other modules, which the kernel may have placed; odd: pointers, too,
 * that alike does not see. */
static void add_mask(struct mask *m, const struct work *w, bool odd)
{
  const struct plan *plan = &w->plan;
  for (size_t i = 0; i < plan->sites.n; i++) {
    const struct site *s = &plan->sites.at[i];
    if (s->kind != SITE_POINTER || (odd && (s->rotated || s->offset % w->lib.form.word)))
      mask_add(m, s->offset, s->size);
  }
  for (size_t i = 0; i < plan->keeps.n; i++)
    mask_add(m, plan->keeps.at[i].offset, plan->keeps.at[i].size);
  mask_sort(m);
}

/* Whether any other word does. */
static bool differ(const struct work *w, const struct capture *a, const struct capture *b)
{
  unsigned char room_a[REGION_PAGE], room_b[REGION_PAGE], copy[REGION_PAGE];
  struct mask mask = {0};
  bool do_differ = false;
  add_mask(&mask, w, false);
  for (size_t at = 0; at < w->plan.size && !do_differ; at += REGION_PAGE) {
    const size_t n = w->plan.size - at < REGION_PAGE ? w->plan.size - at : REGION_PAGE;
    const unsigned char *in_a = region_page(&a->region, at, room_a);
    memcpy(copy, region_page(&b->region, at, room_b), n);
    mask_page(&mask, at, n, copy, in_a);
    do_differ = memcmp(in_a, copy, n) != 0;
  }
  free(mask.list.at);
  return do_differ;
}

/* Init in one more process; with other options than the freeze's, or so many nanoseconds later. */
struct trial {
  const struct options *o;
  int64_t later;
  bool closer; /* the blocks of its heap are wanted */
  struct capture c;
};

static struct setting setting_of(const struct work *w, const struct trial *t)
{
  return (struct setting){.seed = 1,
                          .align = w->runs[0].align,
                          .steady = true,
                          .layout = w->layout,
                          .books = t->closer ? BOOK_BLOCKS : 0,
                          .varied = t->later ? THING_TIME : 0,
                          .ahead = t->later};
}

static void observe_ahead(struct work *w, struct trial *t)
{
  const struct setting setting = setting_of(w, t);
  if (at_once(w, 1) > 1)
    capture_ahead(&t->c, t->o, &w->lib, w->lib.file, &setting, true);
}

/* 0 as well when init did not come to its end, which *failed then says. */
static int observe(struct work *w, struct trial *t, bool *failed, struct error *e)
{
  const struct setting setting = setting_of(w, t);
  struct error own = {0};
  *failed = capture_take(&t->c, t->o, &w->lib, w->lib.file, &setting, &w->plan.whole, true,
                         w->cache, &own) != 0;
  int status = *failed && own.status != REFUSED ? fail(e, own.status, "%s", own.text) : 0;
  error_free(&own);
  return status;
}

/* Whether that changes anything. */
static int try(struct work *w, struct trial *t, const struct trial *base, bool *changed,
               struct error *e)
{
  bool failed = false;
  const int status = observe(w, t, &failed, e);
  if (!status)
    *changed = failed || differ(w, &base->c, &t->c);
  capture_free(&t->c);
  return status;
}

/* Once more, and a warning of what is not the same. */
static int tell(struct work *w, struct trial *t, const struct trial *base, const char *what,
                const char *now, struct error *e)
{
  struct place_list l = {.w = w};
  struct mask mask = {0};
  bool failed = false;
  t->closer = true;
  const int status = observe(w, t, &failed, e);
  if (!status && !failed) {
    add_mask(&mask, w, true);
    alike(&base->c, &t->c, &mask, add_place, &l);
  }
  put_bytes(&l.text, "", 1);
  if (failed)
    fprintf(stderr, "turf: %s: warning: init does not succeed with every %s; it is frozen for %s\n",
            w->lib.path, what, now);
  else if (l.n)
    fprintf(stderr,
            "turf: %s: warning: %zu word%s with the %s (%s%s); what is frozen is right for %s\n",
            w->lib.path, l.n, l.n == 1 ? " varies" : "s vary", what, (const char *)l.text.at,
            l.n > PLACES ? ", ..." : "", now);
  capture_free(&t->c);
  free(mask.list.at);
  free(l.text.at);
  return status;
}

/* The options that are tried: another directory, another environment, and both. */
struct others {
  struct options moved, other, both;
};

static void others_init(struct others *x, const struct options *o)
{
  x->moved = x->other = *o;
  x->moved.cwd = o->cwd && strcmp(o->cwd, "/usr") == 0 ? "/" : "/usr";
  memset(&x->other.env, 0, sizeof x->other.env);
  for (size_t i = 0; i < o->env.n; i++)
    *PUSH(&x->other.env) = o->env.at[i];
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
    if (!is_set(o, variables[i]))
      *PUSH(&x->other.env) = variables[i];
  x->both = x->other;
  x->both.cwd = x->moved.cwd;
}

/* What differs may have come of processes that ran init at the same time, so that the first of them is had
 * again, too; dated: NULL, or a trial with another date; around: the others as well. */
static int try_each(struct work *w, const struct others *x, struct trial *base, struct trial *dated,
                    bool around, struct error *e)
{
  struct trial other = {.o = &x->other}, moved = {.o = &x->moved};
  bool failed = false;
  capture_free(&base->c);
  base->closer = true;
  int status = observe(w, base, &failed, e);
  if (status || failed)
    return status;
  if (dated)
    status = tell(w, dated, base, "date", "that of the freeze", e);
  if (around && !status)
    status =
        tell(w, &other, base, "environment", "one that holds what --env names and nothing else", e);
  if (around && !status)
    status = tell(w, &moved, base, "working directory", w->o->cwd ? w->o->cwd : "/", e);
  return status;
}

/* Runs and causes differ by hours (see clock.c): what init has made of the day, the month and the year is the
 * same in all of them. */
static bool asks_for_time(const struct trial *base)
{
  return process_asked(base->c.process) & THING_TIME;
}

static int try_all(struct work *w, const struct others *x, struct trial *base, struct trial *both,
                   struct trial *dated, struct error *e)
{
  bool failed = false, around = false, date = false;
  if (observe(w, base, &failed, e))
    return -1;
  if (failed)
    return 0;
  const bool asks = asks_for_time(base);
  if (asks)
    observe_ahead(w, dated);
  if (try(w, both, base, &around, e) || (asks && try(w, dated, base, &date, e)))
    return -1;
  return around || date ? try_each(w, x, base, date ? dated : NULL, around, e) : 0;
}

void look_ahead(struct work *w)
{
  struct trial base = {.o = w->o};
  observe_ahead(w, &base);
  w->base = base.c;
}

int look_around(struct work *w, struct error *e)
{
  struct others x;
  others_init(&x, w->o);
  struct trial base = {.o = w->o, .c = w->base}, both = {.o = &x.both};
  struct trial dated = {.o = w->o, .later = 400 * INT64_C(86400000000000)};
  w->base = (struct capture){0};
  progress(w, "looking at environment and directory", 0, 0);
  observe_ahead(w, &both);
  int status = try_all(w, &x, &base, &both, &dated, e);
  capture_free(&base.c);
  capture_free(&both.c);
  capture_free(&dated.c);
  free(x.other.env.at);
  return status;
}
