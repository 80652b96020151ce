/* The pipeline as a whole. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "turf.h"

enum { PAGE = 4096, HUGE_PAGE = 2 << 20, TRIES = 8, BAD_AT_MOST = 20, PLACES = 4 };

/* Fresh inits that have to agree; with an alignment that chance may have made look sufficient. */
enum { PROOFS = 1, KEYED_PROOFS = 4 };

/* Processes with the addresses of the first run: a random bit is the same in all with 1 in 256. */
enum { TWINS = 8 };

/* Of the proofs' processes: apart from those of all runs, see place_of_library in trace.c. */
enum { PROOF_SEED = 5050 };

/* Everything that a freeze or a verification holds. */
struct work {
  const struct options *o;
  struct library lib; /* the turf library */
  struct library frozen;
  struct policy policy;
  struct capture *runs;
  size_t n;
  struct capture proof;
  struct module_cache *cache;
  struct plan plan;
  struct table table;
  uint64_t align; /* of all addresses of the runs */
  bool unlike;    /* what init allocates and protects is not the same in every run */
  /* places of some words that depend on addresses, or come by themselves; how many of the former */
  struct bytes keyed, own;
  size_t n_keyed;
  double started, told;
};

/* The files to remove when things end before their time. */
static char *temporary[2];

void freeze_cleanup(void)
{
  for (size_t i = 0; i < 2; i++)
    if (temporary[i])
      unlink(temporary[i]);
}

static void remove_temporary(char **name)
{
  char *gone = *name;
  if (gone)
    unlink(gone);
  *name = NULL; /* before free: a signal's handler looks at it */
  free(gone);
}

static double seconds(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Only where somebody waits, and only when it takes a while. */
static void progress(struct work *w, const char *what, size_t i, size_t n)
{
  double now = seconds();
  if (w->o->quiet || !isatty(STDERR_FILENO) || now - w->started < 1)
    return;
  fprintf(stderr, n ? "turf: %s %zu of %zu\n" : "turf: %s\n", what, i, n);
}

/* The runs and what was made of them. */
static void runs_free(struct work *w)
{
  for (size_t i = 0; i < w->n; i++)
    capture_free(&w->runs[i]);
  free(w->runs);
  w->runs = NULL;
  w->n = 0;
  plan_free(&w->plan);
}

static void work_free(struct work *w)
{
  runs_free(w);
  capture_free(&w->proof);
  free(w->keyed.at);
  free(w->own.at);
  free(w->table.bytes.at);
  policy_free(&w->policy);
  module_cache_free(w->cache);
  library_free(&w->lib);
  library_free(&w->frozen);
  remove_temporary(&temporary[0]);
  remove_temporary(&temporary[1]);
}

/* captures */

static bool same_modulo_huge(const struct capture *a, const struct capture *b)
{
  return a->bias % HUGE_PAGE == b->bias % HUGE_PAGE;
}

/* A capture whose displacements are all its own, with respect to those before it. */
static int take(struct work *w, struct capture *c, size_t n_before, const char *path,
                const struct library *lib, unsigned seed, bool init, struct error *e)
{
  uint64_t align = n_before ? w->runs[0].align : w->align > lib->align ? w->align : lib->align;
  int status = -1;
  for (unsigned try = 0; try < TRIES && status; try++, seed += SEEDS) {
    error_free(e);
    capture_free(c);
    if (capture_take(c, w->o, lib, path, seed, align, init, w->cache, e))
      return -1;
    if (c->align > align && !n_before) { /* now that it is known what init needs */
      align = c->align;
      try--;
      seed -= SEEDS;
      continue;
    }
    status = 0;
    for (size_t i = 0; i < n_before && !status; i++)
      status = capture_displaced(&w->runs[i], c, e);
    if (!status && init && n_before == 1 && align < HUGE_PAGE && same_modulo_huge(&w->runs[0], c))
      status = fail(e, SYSTEM, "%s: loaded twice at the same place modulo 2 MiB", path);
  }
  return status;
}

static int take_runs(struct work *w, struct error *e)
{
  const size_t n = (size_t)w->o->runs;
  w->runs = xalloc(n * sizeof *w->runs);
  for (; w->n < n; w->n++) {
    struct capture *c = &w->runs[w->n];
    progress(w, "run", w->n + 1, n);
    int status = take(w, c, w->n, w->lib.path, &w->lib, (unsigned)w->n + 1, true, e);
    if (!status && w->o->keep)
      status = capture_keep(c, &w->lib, w->o->keep, (int)w->n + 1, e);
    if (status) {
      capture_free(c);
      return -1;
    }
  }
  return 0;
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
  struct spans spans = {0};
  unsigned char **regions = xalloc(w->n * sizeof *regions);
  int status = 0;
  plan->align = w->runs[0].align;
  w->unlike = false;
  for (size_t i = 0; i < w->n; i++) {
    regions[i] = w->runs[i].region;
    if (w->runs[i].size > plan->size)
      plan->size = w->runs[i].size;
    w->unlike |= !same_protections(&w->runs[0], &w->runs[i]) || w->runs[i].align != plan->align;
  }
  plan->size = (plan->size + 15) & ~(size_t)15;
  if (!w->unlike) {
    diff(&spans, regions, w->n, plan->size);
    classify(plan, &w->lib, w->runs, w->n, &spans, w->o->policy ? &w->policy : NULL);
  }
  for (size_t i = 0; i < w->n && !status; i++)
    status = capture_lost(&w->runs[i], e);
  free(spans.list.at);
  free(regions);
  return status;
}

/* rehearsals */

static bool may_be_keyed(const struct finding *f)
{
  return f->cause == FIND_MOVES || f->cause == FIND_BASE || f->cause == FIND_VARIES;
}

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

/* Marks the findings that one more process with the addresses of the first run has otherwise; *left is
 * how many may be due to addresses still. */
static int compare_twin(struct work *w, bool *own, size_t *left, struct error *e)
{
  struct capture twin = {0};
  const struct capture *run = &w->runs[0];
  int status = capture_take(&twin, w->o, &w->lib, w->lib.path, 1, run->align, true, w->cache, e);
  *left = w->unlike;
  for (size_t i = 0; i < w->plan.findings.n && !status; i++) {
    const struct finding *f = &w->plan.findings.at[i];
    own[i] |= f->offset + f->size > twin.size ||
              memcmp(run->region + f->offset, twin.region + f->offset, f->size) != 0;
    *left += may_be_keyed(f) && !own[i];
  }
  capture_free(&twin);
  return status;
}

/* What is found may be due to addresses, so that others would cure it, or come by itself (time, a
 * random number).  Processes with equal addresses tell: *keyed is how many findings are the same in
 * all of them, *own how many are not. */
static int find_cause(struct work *w, size_t *keyed, size_t *own, struct error *e)
{
  bool *is_own = xalloc(w->plan.findings.n * sizeof *is_own);
  int status = 0;
  *keyed = 1;
  *own = 0;
  for (unsigned i = 0; i < TWINS && *keyed && !status; i++)
    status = compare_twin(w, is_own, keyed, e);
  for (size_t i = 0, n = 0; i < w->plan.findings.n && !status; i++) {
    const struct finding *f = &w->plan.findings.at[i];
    if (!may_be_keyed(f))
      continue;
    *own += is_own[i];
    n += !is_own[i];
    if ((is_own[i] ? *own : n) <= PLACES)
      add_place(w, is_own[i] ? &w->own : &w->keyed, f->offset);
  }
  free(is_own);
  return status;
}

static int rehearse(struct work *w, uint64_t align, struct error *e)
{
  runs_free(w);
  w->align = align;
  for (size_t i = 0; i < w->policy.lines.n; i++)
    w->policy.lines.at[i].used = false;
  return take_runs(w, e) || (w->o->policy && policy_bind(&w->policy, &w->lib, &w->runs[0], e)) ||
                 compare_runs(w, e)
             ? -1
             : 0;
}

/* A table keyed by addresses comes out the same where all addresses are equal modulo some power of two.
 * The smallest that will do is asked for at load; musl does not heed it. */
static int align_keyed(struct work *w, struct error *e)
{
  static const uint64_t aligns[] = {16 * PAGE, HUGE_PAGE};
  size_t own = 0;
  if (find_cause(w, &w->n_keyed, &own, e))
    return -1;
  for (size_t i = 0; i < 2 && w->n_keyed && (w->unlike || w->plan.findings.n); i++)
    if (aligns[i] > w->runs[0].align && rehearse(w, aligns[i], e))
      return -1;
  if (own && !w->unlike && !w->plan.findings.n)
    return fail(
        e, REFUSED,
        "%s: %zu words (%s%s) differed at first, at equal addresses, too; they must have come "
        "out the same by chance since",
        w->lib.path, own, (const char *)w->own.at, own > PLACES ? ", ..." : "");
  return 0;
}

static int explain(struct work *w, struct error *e)
{
  if (rehearse(w, w->lib.align, e))
    return -1;
  bool keyed = w->unlike;
  for (size_t i = 0; i < w->plan.findings.n; i++)
    keyed |= may_be_keyed(&w->plan.findings.at[i]);
  if (keyed && w->lib.libc != LIBC_MUSL && align_keyed(w, e))
    return -1;
  if (w->unlike)
    return fail(e, REFUSED,
                "%s: what init allocates and protects is not the same in every run; its heap "
                "cannot be laid out once for all",
                w->lib.path);
  return 0;
}

/* The words that lead there are the same in every run, and so no findings. */
static int fail_fixed(const struct work *w, const struct mapping *m, struct error *e)
{
  const unsigned word = w->lib.word;
  struct bytes text = {0};
  const char *before = "; it is used in ";
  unsigned n = 0;
  for (size_t at = 0; at + word <= w->plan.size && n < 4; at += word) {
    uint64_t value = get_word(w->runs[0].region + at, word);
    if (value < m->lo || value >= m->hi)
      continue;
    char *place = report_place(&w->lib, &w->runs[0], at);
    put_bytes(&text, before, strlen(before));
    put_bytes(&text, place, strlen(place));
    free(place);
    before = ", ";
    n++;
  }
  put_bytes(&text, "", 1);
  fail(e, REFUSED,
       "%s: init made a mapping at the fixed address 0x%" PRIx64
       ", which is not there where the library is loaded: map it at first use%s",
       w->lib.path, m->lo, (char *)text.at);
  free(text.at);
  return -1;
}

static int judge(struct work *w, struct error *e)
{
  struct plan *plan = &w->plan;
  size_t outside = outside_check(stderr, w->o->suggest ? stdout : NULL, &w->runs[0],
                                 w->o->policy ? &w->policy : NULL);
  if (plan->findings.n) {
    if (w->o->suggest)
      report_suggest(stdout, &w->lib, plan, w->runs, w->n);
    report_findings(stderr, &w->lib, plan, w->runs, w->n);
    return fail(e, REFUSED, "%s: %zu word%s cannot be frozen as it is; see above", w->lib.path,
                plan->findings.n, plan->findings.n == 1 ? "" : "s");
  }
  if (outside)
    return fail(e, REFUSED, "%s: %zu thing%s outside the library changed; see above", w->lib.path,
                outside, outside == 1 ? "" : "s");
  for (size_t i = 0; i < w->runs[0].mappings.n; i++)
    if (mapping_is_fixed(w->runs, w->n, &w->runs[0].mappings.at[i]))
      return fail_fixed(w, &w->runs[0].mappings.at[i], e);
  return w->o->policy ? policy_check_used(&w->policy, e) : 0;
}

/* the recipe */

static void put_line(struct bytes *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put_line(struct bytes *b, const char *format, ...)
{
  va_list ap;
  va_start(ap, format);
  char *line = xvprintf(format, ap);
  va_end(ap);
  put_bytes(b, line, strlen(line) + 1);
  free(line);
}

/* A path that means the same in another directory. */
static void put_path(struct bytes *b, const char *word, const char *path)
{
  char *whole = realpath(path, NULL);
  put_line(b, "%s %s", word, whole ? whole : path);
  free(whole);
}

static void write_recipe(struct work *w)
{
  struct plan *plan = &w->plan;
  struct bytes *b = &plan->recipe;
  const struct options *o = w->o;
  for (size_t i = 0; i < o->inits.n; i++)
    put_line(b, "init %s", o->inits.at[i]);
  for (size_t i = 0; i < o->env.n; i++)
    put_line(b, "env %s", o->env.at[i]);
  if (o->cwd)
    put_path(b, "cwd", o->cwd);
  if (o->host)
    put_path(b, "host", o->host);
  for (size_t i = 0; i < plan->keeps.n; i++)
    put_line(b, "keep %zx %zx", plan->keeps.at[i].offset, plan->keeps.at[i].size);
  for (size_t i = 0; i < plan->sites.n; i++) {
    const struct site *s = &plan->sites.at[i];
    if (s->kind == SITE_ZERO)
      put_line(b, "zero %zx %zx", s->offset, s->size);
    else if (s->kind == SITE_DEAD)
      put_line(b, "dead %zx", s->offset);
  }
}

/* the proof */

static int fail_proof(struct work *w, const char *path, const char *which, const size_t *bad,
                      size_t n, struct error *e)
{
  struct bytes text = {0};
  for (size_t i = 0; i < n && i < BAD_AT_MOST; i++) {
    char *name = report_place(&w->lib, w->n ? &w->runs[0] : &w->proof, bad[i]);
    put_bytes(&text, "\n  ", 3);
    put_bytes(&text, name, strlen(name));
    free(name);
  }
  put_bytes(&text, "", 1);
  fail(e, MISMATCH, "%s: %zu word%s of %s not what the freeze expects%s%s", path, n,
       n == 1 ? "" : "s", which, (char *)text.at, n > BAD_AT_MOST ? "\n  ..." : "");
  free(text.at);
  return -1;
}

static int hold_against(struct work *w, struct capture *c, bool thawed, const char *path,
                        const char *which, struct error *e)
{
  size_t bad[BAD_AT_MOST], n = prove(&w->plan, c, thawed, bad, BAD_AT_MOST);
  if (capture_lost(c, e))
    return -1;
  return n ? fail_proof(w, path, which, bad, n, e) : 0;
}

/* Fresh inits against the plan. */
static int prove_live(struct work *w, const char *path, struct error *e)
{
  const unsigned n = w->n_keyed ? KEYED_PROOFS : PROOFS;
  for (unsigned i = 0; i < n; i++) {
    progress(w, "proof, with a fresh init", 0, 0);
    if (take(w, &w->proof, w->n, path, &w->lib, PROOF_SEED + 2 * i, true, e) ||
        hold_against(w, &w->proof, false, path, "another fresh init are", e))
      return -1;
  }
  return 0;
}

/* What the dynamic linker made of the frozen library's references, against the live one's. */
static int prove_references(struct work *w, struct error *e)
{
  const struct library *lib = &w->lib;
  struct capture *live = &w->runs[0];
  if (!lib->links.n)
    return 0;
  const uint64_t first = lib->links.at[0];
  const uint64_t size = lib->links.at[lib->links.n - 1] + lib->word - first;
  unsigned char *a = xalloc(size), *b = xalloc(size);
  int status =
      capture_read(live, first, size, a, e) || capture_read(&w->proof, first, size, b, e) ? -1 : 0;
  size_t bad = status ? lib->links.n : prove_links(live, &w->proof, first, a, b);
  if (bad < lib->links.n)
    status = fail(e, MISMATCH,
                  "%s: what the dynamic linker finds for the word at 0x%" PRIx64
                  " is not the same once it is frozen: a function that chooses another (IFUNC) "
                  "must not look at pointers in variables",
                  w->o->input, lib->links.at[bad]);
  free(a);
  free(b);
  return status;
}

/* The frozen file, loaded, against the plan. */
static int prove_frozen(struct work *w, const char *path, struct error *e)
{
  progress(w, "proof, with the frozen library", 0, 0);
  if (take(w, &w->proof, w->n, path, &w->frozen, PROOF_SEED + 1, false, e)) {
    if (e->status == REFUSED)
      e->status = MISMATCH; /* it is turf's output that does not load */
    return -1;
  }
  return hold_against(w, &w->proof, true, w->o->input, "the frozen library, once loaded, are", e) ||
                 prove_references(w, e) || capture_thaw(&w->proof, e)
             ? -1
             : 0;
}

static int write_and_prove(struct work *w, struct error *e)
{
  const char *output = w->o->output;
  if (write_frozen(&w->lib, &w->plan, &w->table, output, &temporary[0], e) ||
      library_read(&w->frozen, temporary[0], e))
    return -1;
  library_rename(&w->frozen, output);
  if (prove_frozen(w, temporary[0], e) || write_commit(temporary[0], output, e))
    return -1;
  char *name = temporary[0];
  temporary[0] = NULL; /* first: a signal's handler looks at it */
  free(name);
  return 0;
}

/* freeze and check */

static int check_output(const struct options *o, struct error *e)
{
  struct stat in, out;
  bool exists = !stat(o->output, &out);
  if (exists && !stat(o->input, &in) && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
    return fail(e, USAGE, "%s: is the input as well; give another name to -o", o->output);
  if (exists && !S_ISREG(out.st_mode)) /* rename would put a file in the place of a device */
    return fail(e, SYSTEM, "%s: is no regular file; give the name of one to -o", o->output);
  char *dir = xstrdup(o->output), *slash = strrchr(dir, '/');
  const char *where = ".";
  if (slash) {
    slash[slash == dir] = 0;
    where = dir;
  }
  int status = access(where, W_OK | X_OK) ? fail_errno(e, o->output, "cannot be written") : 0;
  free(dir);
  return status;
}

static int pipeline(struct work *w, bool writes, struct error *e)
{
  const struct options *o = w->o;
  if (library_read(&w->lib, o->input, e))
    return -1;
  if (w->lib.note.flags & URF_FROZEN)
    return fail(e, REFUSED, "%s: is frozen already; freeze the library it was made from", o->input);
  if ((writes && check_output(o, e)) || (o->policy && policy_read(&w->policy, o->policy, e)) ||
      explain(w, e) || judge(w, e))
    return -1;
  write_recipe(w);
  place(&w->table, &w->lib, &w->plan);
  if (prove_live(w, o->input, e) || (writes && write_and_prove(w, e)))
    return -1;
  struct summary s = {.input = o->input,
                      .output = writes ? o->output : NULL,
                      .seconds = seconds() - w->started,
                      .lib = &w->lib,
                      .plan = &w->plan,
                      .table = &w->table,
                      .run = &w->runs[0],
                      .runs = (int)w->n};
  if (!o->quiet)
    report_warnings(stderr, &w->lib);
  if (!o->quiet && w->n_keyed)
    fprintf(
        stderr,
        "turf: %s: warning: %zu words depend on addresses (%s%s); it can be loaded at multiples of "
        "%" PRIu64 " KiB only, where they do not\n",
        w->lib.path, w->n_keyed, (const char *)w->keyed.at, w->n_keyed > PLACES ? ", ..." : "",
        w->plan.align / 1024);
  if (o->suggest)
    printf("# nothing to accept\n");
  else if (o->json || !o->quiet)
    report_summary(stdout, &s, o->json);
  return 0;
}

int freeze(const struct options *o, bool writes, struct error *e)
{
  struct work w = {.o = o, .started = seconds(), .cache = module_cache_new()};
  int status = pipeline(&w, writes, e);
  work_free(&w);
  return status;
}

/* verify */

static void recall(void *context, const char *word, const char *argument)
{
  struct options *o = context;
  if (strcmp(word, "init") == 0)
    *PUSH(&o->inits) = argument;
  else if (strcmp(word, "env") == 0)
    *PUSH(&o->env) = argument;
  else if (strcmp(word, "cwd") == 0)
    o->cwd = argument;
  else if (strcmp(word, "host") == 0 && !o->host)
    o->host = argument;
}

/* Words that the dynamic linker computes are in no table; they are what a fresh init has. */
static void learn_slots(struct plan *plan, const struct capture *live)
{
  for (size_t i = 0; i < plan->sites.n; i++) {
    struct site *s = &plan->sites.at[i];
    if (s->kind == SITE_POINTER && s->by_ldso)
      s->value = get_word(live->region + s->offset, (unsigned)s->size) - live->bias;
  }
}

/* w->lib is the turf library that was inside the file. */
static int verify_work(struct work *w, struct options *o, struct error *e)
{
  const char *path = w->o->input;
  if (library_read(&w->frozen, path, e))
    return -1;
  if (!(w->frozen.note.flags & URF_FROZEN))
    return fail(e, REFUSED, "%s: is not frozen; verify takes the output of turf freeze", path);
  recipe_each((const char *)w->frozen.table + w->frozen.note.recipe, w->frozen.note.recipe_size,
              recall, o);
  w->runs = xalloc(sizeof *w->runs);
  w->n = 1;
  if (place_read(&w->plan, &w->frozen, e) || write_original(&w->frozen, &temporary[1], e) ||
      library_read(&w->lib, temporary[1], e))
    return -1;
  library_rename(&w->lib, path);
  w->align = w->frozen.note.align;
  if (take(w, &w->runs[0], 0, temporary[1], &w->lib, PROOF_SEED, true, e))
    return -1;
  learn_slots(&w->plan, &w->runs[0]);
  return hold_against(w, &w->runs[0], false, path, "a fresh init are", e) ||
                 prove_frozen(w, path, e)
             ? -1
             : 0;
}

int verify(const struct options *given, struct error *e)
{
  struct options recalled = *given, *o = &recalled; /* the processes look at it until they end */
  struct work w = {.o = o, .started = seconds(), .cache = module_cache_new()};
  int status = verify_work(&w, o, e);
  if (!status && !o->quiet)
    printf("%s: as a fresh init leaves it, %zu bytes, loaded at another address\n", o->input,
           w.plan.size);
  work_free(&w);
  free(recalled.inits.at);
  free(recalled.env.at);
  return status;
}
