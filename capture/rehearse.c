/* The runs: init in several processes, what differs between them, and, where that may be due to addresses,
 * all of it again at others. */

#include <stdlib.h>
#include <string.h>

#include "work.h"

enum { PAGE = 4096, HUGE_PAGE = 2 << 20, TRIES = 8, LESSONS = 8 };

void runs_free(struct work *w)
{
  for (size_t i = 0; i < w->n; i++)
    capture_free(&w->runs[i]);
  capture_free(&w->proof);
  free(w->runs);
  w->runs = NULL;
  w->n = 0;
  plan_free(&w->plan);
}

static bool same_modulo_huge(const struct capture *a, const struct capture *b)
{
  return a->bias % HUGE_PAGE == b->bias % HUGE_PAGE;
}

/* From now on the layout is the plain one; where runs have another, they have to be made again. */
static int lose_layout(struct work *w, const char *why)
{
  if (!w->plain)
    w->plain = xstrdup(why);
  return -1;
}

/* What the regions of other processes are told apart from. */
static const struct region *like(const struct work *w, size_t n_before)
{
  return w->plan.image ? &w->plan.whole : n_before ? &w->runs[0].region : NULL;
}

void runs_forget(struct work *w)
{
  struct plan *plan = &w->plan;
  for (size_t i = 0; i < plan->sites.n; i++) {
    struct site *s = &plan->sites.at[i];
    s->set = s->kind == SITE_RETHAW;
    for (size_t r = 0; r < w->n && s->set; r++)
      s->set = !region_is_zero(&w->runs[r].region, s->offset, s->size);
  }
  for (size_t r = 0; r < w->n; r++)
    region_free(&w->runs[r].region);
}

/* In memory there are then what is held, the books, and so many hosts: no more than three times the image, or a
 * bit more than that. */
size_t at_once(const struct work *w, unsigned held)
{
  enum { IMAGES = 3, MORE = 100 << 20 };
  const uint64_t size = w->used < w->size ? w->used : w->size, left = memory_left() / 2;
  const uint64_t most = (IMAGES - held) * size + MORE;
  const uint64_t room = most > w->books ? most - w->books : 0;
  uint64_t n = processors();
  while (n && n * w->used > (room < left ? room : left))
    n--;
  return (size_t)n;
}

static struct setting setting_of(const struct work *w, const struct capture *c, size_t n_before,
                                 const char *path, const struct library *lib, unsigned seed,
                                 bool init)
{
  const uint64_t own = w->align > lib->align ? w->align : lib->align;
  return (struct setting){.seed = seed,
                          .align = n_before ? w->runs[0].align : own,
                          .watched = c == &w->runs[0] && path == w->lib.file,
                          .books = n_before ? 0 : BOOK_BLOCKS | BOOK_ALLOCATIONS,
                          .layout = init ? w->layout : NULL};
}

void take_ahead(struct work *w, struct capture *c, size_t n_before, const char *path,
                const struct library *lib, unsigned seed, bool init)
{
  const struct setting setting = setting_of(w, c, n_before, path, lib, seed, init);
  if (!c->process)
    capture_ahead(c, w->o, lib, path, &setting, init);
}

/* What init does may hang on where blocks lie, in one with tables that are sorted by addresses: then
 * others are left.  They get places, too; that the rest keeps its own makes it likely to be enough. */
static bool learn_more(struct work *w, const struct capture *c, struct error *e)
{
  struct bytes bytes = {0};
  struct left left;
  bool more = layout_make(&bytes, &left, c, w->layout);
  if (more)
    w->left = left;
  more = more && !layout_new(&w->layout, &bytes, w->lib.form, e);
  w->lessons += more;
  free(bytes.at);
  return more;
}

/* A capture whose displacements are all its own, with respect to those before it. */
int take(struct work *w, struct capture *c, size_t n_before, const char *path,
         const struct library *lib, unsigned seed, bool init, struct error *e)
{
  struct setting setting = setting_of(w, c, n_before, path, lib, seed, init);
  int status = -1, lessons = LESSONS;
  for (unsigned try = 0; try < TRIES && status; try++, setting.seed += SEEDS) {
    error_free(e);
    if (!c->ahead || c->align != setting.align)
      capture_free(c);
    if (capture_take(c, w->o, lib, path, &setting, like(w, n_before), init, w->cache, e))
      return setting.layout && e->status == REFUSED ? lose_layout(w, "init did not succeed with it")
                                                    : -1;
    if (c->strayed == URF_STRAY_LEFT && !n_before && lessons-- && learn_more(w, c, e)) {
      setting.layout = w->layout;
      setting.seed -= SEEDS;
      try--;
      continue;
    }
    char *strayed = layout_strayed(c);
    if (strayed) {
      lose_layout(w, strayed);
      free(strayed);
      return fail(e, REFUSED, "%s: init did not repeat itself: %s", lib->path, w->plain);
    }
    if (c->align > setting.align && !n_before) { /* now that it is known what init needs */
      setting.align = c->align;
      try--;
      setting.seed -= SEEDS;
      continue;
    }
    status = 0;
    for (size_t i = 0; i < n_before && !status; i++)
      status = capture_displaced(&w->runs[i], c, w->o->fixed, e);
    if (!status && init && !w->o->fixed && n_before == 1 && setting.align < HUGE_PAGE &&
        same_modulo_huge(&w->runs[0], c))
      status = fail(e, SYSTEM, "%s: loaded twice at the same place modulo 2 MiB", path);
  }
  return status;
}

/* Places in the heap that have no other name. */
static bool names_places(const struct policy *p)
{
  static const char heap[] = ".urf.heap";
  for (size_t i = 0; i < p->lines.n; i++)
    if (strncmp(p->lines.at[i].what, heap, sizeof heap - 1) == 0)
      return true;
  return false;
}

int learn(struct work *w, const char *path, struct error *e)
{
  struct capture c = {0};
  struct bytes bytes = {0};
  int status;
  if (!w->no_layout) {
    free(w->plain);
    w->plain = NULL;
  }
  if (!w->plain && names_places(&w->policy))
    w->plain = xstrdup("the policy names bytes of the heap by where they lie in that");
  w->align = w->align > w->lib.align ? w->align : w->lib.align;
  for (;;) {
    const struct setting setting = {
        .seed = 1, .align = w->align, .books = BOOK_BLOCKS | BOOK_ALLOCATIONS};
    status = capture_take(&c, w->o, &w->lib, path, &setting, NULL, true, w->cache, e);
    if (status || c.align <= w->align)
      break;
    w->align = c.align; /* now that it is known what init needs */
    capture_free(&c);
  }
  if (!status && !layout_make(&bytes, &w->left, &c, NULL) && !w->plain)
    w->plain = xstrdup("its heap has blocks that nobody has asked for");
  if (!status && !w->plain)
    status = layout_new(&w->layout, &bytes, w->lib.form, e);
  free(bytes.at);
  w->used = c.used;
  w->size = c.size;
  w->books = c.blocks.n * sizeof *c.blocks.at + c.allocations.n * sizeof *c.allocations.at;
  capture_free(&c);
  return status;
}

/* The next run, while those behind it, and the proof behind the last, are started. */
static int take_run(struct work *w, size_t n, struct error *e)
{
  struct capture *c = &w->runs[w->n];
  const size_t number = at_once(w, 1);
  for (size_t i = w->n; number > 1 && i <= n && i < w->n + number; i++)
    take_ahead(w, i < n ? &w->runs[i] : &w->proof, i, w->lib.file, &w->lib,
               i < n ? (unsigned)i + 1 : PROOF_SEED, true);
  progress(w, "run", w->n + 1, n);
  const double before = seconds();
  const unsigned lessons = w->lessons;
  int status = take(w, c, w->n, w->lib.file, &w->lib, (unsigned)w->n + 1, true, e);
  for (size_t i = w->n + 1; w->lessons != lessons && i <= n; i++) {
    struct capture *other = i < n ? &w->runs[i] : &w->proof;
    if (other->ahead) /* with what was the layout before */
      capture_free(other);
  }
  if (!w->n)
    w->init = seconds() - before;
  if (!status && w->o->keep)
    status = capture_keep(c, &w->lib, w->o->keep, (int)w->n + 1, e);
  return status;
}

static int take_runs(struct work *w, struct error *e)
{
  const size_t n = (size_t)w->o->runs;
  int status = 0;
  w->runs = xalloc(n * sizeof *w->runs);
  for (; w->n < n && !status; w->n++)
    status = take_run(w, n, e);
  for (size_t i = w->n; status && i <= n; i++) /* the one that failed, and those that were ahead */
    capture_free(&w->runs[i - 1]);
  w->n -= status != 0;
  return status;
}

static bool same_protections(const struct capture *a, const struct capture *b)
{
  return a->protections.n == b->protections.n &&
         (!a->protections.n || memcmp(a->protections.at, b->protections.at,
                                      a->protections.n * sizeof *a->protections.at) == 0);
}

static int compare_runs(struct work *w, struct error *e)
{
  struct plan *plan = &w->plan;
  int status = 0;
  plan->align = w->runs[0].align;
  plan->fixed = w->o->fixed;
  w->unlike = false;
  for (size_t i = 0; i < w->n; i++) {
    if (w->runs[i].size > plan->size)
      plan->size = w->runs[i].size;
    w->unlike |= !same_protections(&w->runs[0], &w->runs[i]) || w->runs[i].align != plan->align;
  }
  plan->size = (plan->size + 15) & ~(size_t)15;
  if (!w->unlike)
    classify(plan, &w->lib, w->runs, w->n, w->o->policy ? &w->policy : NULL);
  for (size_t i = 0; i < w->n && !status; i++)
    status = capture_lost(&w->runs[i], e);
  return status;
}

/* rehearsals */

/* Adds the place of a finding to the text, which ends in NUL then. */
static void add_place(struct work *w, struct bytes *text, size_t offset)
{
  char *place = report_place(&w->lib, &w->runs[0], offset);
  if (text->n)
    text->n--;
  put_bytes(text, ", ", text->n ? 2 : 0);
  put_bytes(text, place, strlen(place) + 1);
  free(place);
}

/* What is found may be due to addresses, so that others would cure it, or come by itself (a random number):
 * says which, and returns how many do. */
static size_t sort_findings(struct work *w)
{
  size_t own = 0;
  static const char layout[] = "the layout of the heap";
  w->n_keyed = w->unlike;
  if (w->unlike)
    put_bytes(&w->keyed, layout, sizeof layout);
  for (size_t i = 0; i < w->plan.findings.n; i++) {
    const struct finding *f = &w->plan.findings.at[i];
    if (is_keyed(f) && w->n_keyed++ < PLACES)
      add_place(w, &w->keyed, f->offset);
    else if (comes_by_itself(f) && own++ < PLACES)
      add_place(w, &w->own, f->offset);
  }
  return own;
}

static int bind_policy(struct work *w, struct error *e)
{
  if (!w->o->policy || !policy_bind(&w->policy, &w->lib, &w->runs[0], e))
    return 0;
  return w->layout ? lose_layout(w, "with another, the policy does not fit") : -1;
}

static int run_all(struct work *w, struct error *e)
{
  runs_free(w);
  for (size_t i = 0; i < w->policy.lines.n; i++)
    w->policy.lines.at[i].used = false;
  if (take_runs(w, e) || bind_policy(w, e) || compare_runs(w, e))
    return -1;
  if (w->plan.findings.n) /* there is no room for it next to those that are to come */
    capture_free(&w->proof);
  return find_causes(w, e) || find_unwritten(w, e) ? -1 : 0;
}

static void drop_layout(struct work *w)
{
  layout_free(w->layout);
  w->layout = NULL;
}

/* With a layout, if init keeps to it at such addresses. */
static int run_aligned(struct work *w, uint64_t align, struct error *e)
{
  runs_free(w);
  drop_layout(w);
  w->align = align;
  if (learn(w, w->lib.file, e))
    return -1;
  int status = run_all(w, e);
  if (status && w->plain && w->layout) {
    drop_layout(w);
    error_free(e);
    status = run_all(w, e);
  }
  return status;
}

/* A table keyed by addresses comes out the same where all addresses are equal modulo some power of two.
 * The smallest that will do is asked for at load; musl does not heed it. */
static int align_keyed(struct work *w, struct error *e)
{
  static const uint64_t aligns[] = {16 * PAGE, HUGE_PAGE};
  const size_t own = sort_findings(w);
  for (size_t i = 0; i < 2 && w->n_keyed && (w->unlike || w->plan.findings.n); i++)
    if (aligns[i] > w->runs[0].align && run_aligned(w, aligns[i], e))
      return -1;
  if (own && !w->unlike && !w->plan.findings.n)
    return fail(
        e, REFUSED,
        "%s: %zu words (%s%s) differed at first, at equal addresses, too; they must have come "
        "out the same by chance since",
        w->lib.path, own, (const char *)w->own.at, own > PLACES ? ", ..." : "");
  return 0;
}

int rehearse(struct work *w, struct error *e)
{
  if (run_aligned(w, w->lib.align, e) ||
      (!w->o->fixed && w->lib.libc != LIBC_MUSL && align_keyed(w, e)))
    return -1;
  if (w->unlike)
    return fail(e, REFUSED,
                "%s: what init allocates and protects is not the same in every run; its heap "
                "cannot be laid out once for all",
                w->lib.path);
  return 0;
}
