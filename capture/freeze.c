/* The pipeline as a whole. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "groups.h"
#include "json.h"
#include "work.h"

enum { BAD_AT_MOST = 20 };

/* Fresh inits that have to agree; with an alignment that chance may have made look sufficient. */
enum { PROOFS = 1, KEYED_PROOFS = 4 };

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

double seconds(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void progress(struct work *w, const char *what, size_t i, size_t n)
{
  double now = seconds();
  if (w->o->quiet || !isatty(STDERR_FILENO) || now - w->started < 1)
    return;
  fprintf(stderr, n ? "turf: %s %zu of %zu\n" : "turf: %s\n", what, i, n);
}

static void work_free(struct work *w)
{
  runs_free(w);
  capture_free(&w->proof);
  capture_free(&w->base);
  capture_free(&w->fallback);
  free(w->keyed.at);
  free(w->own.at);
  layout_free(w->layout);
  free(w->plain);
  table_free(&w->table);
  policy_free(&w->policy);
  module_cache_free(w->cache);
  library_free(&w->lib);
  library_free(&w->frozen);
  remove_temporary(&temporary[0]);
  remove_temporary(&temporary[1]);
}

/* The words that lead there are the same in every run, and so no findings. */
static int fail_fixed(const struct work *w, const struct mapping *m, struct error *e)
{
  const unsigned word = w->lib.form.word;
  struct bytes text = {0};
  const char *before = "; it is used in ";
  unsigned n = 0;
  for (size_t at = 0; at + word <= w->plan.size && n < 4; at += word) {
    uint64_t value = region_word(&w->runs[0].region, at);
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

static void tell_as_text(struct work *w, struct report *r)
{
  struct bytes text = {0};
  FILE *f = xcheck(open_memstream((char **)&text.at, &text.n)); /* stderr has no buffer */
  if (w->o->suggest)
    report_suggest(stdout, r);
  report_findings(f, r, w->o->verbose);
  fclose(f);
  fwrite(text.at, 1, text.n, stderr);
  free(text.at);
}

/* All there is to say of a refusal, but for the error itself. */
static void tell(struct work *w, const struct error *e)
{
  struct report r;
  struct debug *debug = w->plan.findings.n ? debug_open(w->o->input) : NULL;
  report_init(&r, &w->lib, &w->plan, w->runs, w->n, debug);
  stacks_take(w, &r);
  if (w->o->json)
    report_refusal(stdout, w->o->input, e, &r,
                   outside_json(&w->runs[0], w->o->policy ? &w->policy : NULL));
  else
    tell_as_text(w, &r);
  w->refused_json = w->o->json;
  report_free(&r);
  debug_free(debug);
}

static int judge(struct work *w, struct error *e)
{
  struct plan *plan = &w->plan;
  const size_t n = plan->findings.n;
  const char *see = w->o->json ? "" : "; see above";
  size_t outside =
      outside_check(w->o->json ? NULL : stderr, w->o->suggest && !w->o->json ? stdout : NULL,
                    &w->runs[0], w->o->policy ? &w->policy : NULL);
  if (n)
    fail(e, REFUSED, "%s: %zu word%s cannot be frozen as it is%s", w->lib.path, n,
         n == 1 ? "" : "s", see);
  else if (outside)
    fail(e, REFUSED, "%s: %zu thing%s outside the library changed%s", w->lib.path, outside,
         outside == 1 ? "" : "s", see);
  if (n || outside) {
    tell(w, e);
    return -1;
  }
  for (size_t i = 0; i < w->runs[0].mappings.n; i++)
    if (mapping_is_fixed(w->runs, w->n, &w->runs[0].mappings.at[i]))
      return fail_fixed(w, &w->runs[0].mappings.at[i], e);
  strings_find(plan, w->o, &w->lib, w->o->policy ? &w->policy : NULL);
  page_look(plan, &w->runs[0]);
  if (cpu_look(plan, &w->runs[0], w->o->policy ? &w->policy : NULL, e))
    return -1;
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
    if (w->lib.is_static || w->lib.is_program || w->runs[0].inits.at[i].hidden)
      /* by a symbol that is in no segment */
      put_line(b, "init @%" PRIx64 "%s", w->runs[0].inits.at[i].at,
               strchr(o->inits.at[i], ':') ? ":void" : "");
    else
      put_line(b, "init %s", o->inits.at[i]);
  for (size_t i = 0; i < o->env.n; i++)
    put_line(b, "env %s", o->env.at[i]);
  if (o->cwd)
    put_path(b, "cwd", o->cwd);
  if (o->host)
    put_path(b, "host", o->host);
  if (o->runner) {
    char *runner = runner_words(o->runner);
    put_line(b, "runner %s", runner);
    free(runner);
  }
  if (w->plain)
    put_line(b, "layout plain: %s", w->plain);
  else
    put_line(b, "layout by rehearsal");
  put_line(b, "left %ju %ju %ju %ju", (uintmax_t)w->left.blocks, (uintmax_t)w->left.bytes,
           (uintmax_t)w->left.pointer_blocks, (uintmax_t)w->left.pointer_bytes);
  for (size_t i = 0; i < plan->keeps.n; i++)
    put_line(b, "keep %zx %zx", plan->keeps.at[i].offset, plan->keeps.at[i].size);
  for (size_t i = 0; i < plan->sites.n; i++) {
    const struct site *s = &plan->sites.at[i];
    if (s->kind == SITE_ZERO || s->kind == SITE_UNWRITTEN || s->kind == SITE_RETHAW)
      put_line(b, s->kind == SITE_RETHAW ? "rethaw %zx %zx" : "zero %zx %zx", s->offset, s->size);
    else if (s->kind == SITE_DEAD)
      put_line(b, "dead %zx", s->offset);
  }
}

/* the proof */

/* chance: the words may only have been the same in all runs by chance. */
static int fail_proof(struct work *w, const char *path, const char *which, bool chance,
                      const size_t *bad, size_t n, struct error *e)
{
  struct bytes text = {0};
  for (size_t i = 0; i < n && i < BAD_AT_MOST; i++) {
    char *name = report_place(&w->lib, w->n ? &w->runs[0] : &w->proof, bad[i]);
    put_bytes(&text, "\n  ", 3);
    put_bytes(&text, name, strlen(name));
    free(name);
  }
  put_bytes(&text, "", 1);
  fail(e, MISMATCH, "%s: %zu word%s of %s not what the freeze expects%s%s%s", path, n,
       n == 1 ? "" : "s", which, (char *)text.at, n > BAD_AT_MOST ? "\n  ..." : "",
       chance
           ? "\nall runs had the same there by chance: give --runs a larger number, which finds "
             "more of "
             "what differs, or\nlet a line of the policy that is about a part of the variable be "
             "about all of it"
           : "");
  free(text.at);
  return -1;
}

static int hold_against(struct work *w, struct capture *c, bool thawed, const char *path,
                        const char *which, struct error *e)
{
  size_t bad[BAD_AT_MOST], n = prove(&w->plan, c, thawed, bad, BAD_AT_MOST);
  if (capture_lost(c, e))
    return -1;
  return n ? fail_proof(w, path, which, !thawed && w->n > 1, bad, n, e) : 0;
}

/* Fresh inits against the plan. */
static int prove_live(struct work *w, struct error *e)
{
  const unsigned n = w->n_keyed ? KEYED_PROOFS : PROOFS;
  if (at_once(w, 1) > 1 && !w->o->quiet) {
    take_ahead(w, &w->proof, w->n, w->lib.file, &w->lib, PROOF_SEED, true);
    look_ahead(w);
  }
  for (unsigned i = 0; i < n; i++) {
    progress(w, "proof, with a fresh init", 0, 0);
    if (take(w, &w->proof, w->n, w->lib.file, &w->lib, PROOF_SEED + 2 * i, true, e) ||
        hold_against(w, &w->proof, false, w->lib.path, "another fresh init are", e))
      return -1;
  }
  return 0;
}

/* What the dynamic linker made of the frozen library's references, against the live one's. */
static int prove_references(struct work *w, struct error *e)
{
  const struct library *lib = &w->lib;
  struct capture *live = &w->runs[0];
  if (!lib->links.n || lib->is_static)
    return 0;
  const uint64_t first = lib->links.at[0];
  const uint64_t size = lib->links.at[lib->links.n - 1] + lib->form.word - first;
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

static bool is_zero(const unsigned char *at, size_t n)
{
  return n && !*at && memcmp(at, at + 1, n - 1) == 0;
}

/* What the library's hooks had to set again, and what is still zero when they have run. */
static int prove_hooks(struct work *w, const char *path, struct error *e)
{
  struct plan *plan = &w->plan;
  int status = 0;
  for (size_t i = 0; i < plan->sites.n && !status; i++) {
    const struct site *s = &plan->sites.at[i];
    if (!s->set)
      continue;
    unsigned char *now = xalloc(s->size);
    status = capture_read(&w->proof, w->lib.note.data + s->offset, s->size, now, e);
    if (!status && is_zero(now, s->size)) {
      char *place = report_place(&w->lib, &w->runs[0], s->offset);
      status = fail(e, MISMATCH,
                    "%s: %s is still zero when the functions of URF_ON_THAW have run; have one set "
                    "it, or use the action zero where the library sets it at first use",
                    path, place);
      free(place);
    }
    free(now);
  }
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
                 prove_references(w, e) || capture_thaw(&w->proof, e) ||
                 prove_hooks(w, w->o->input, e)
             ? -1
             : 0;
}

/* Where the frozen state cannot be used init runs in the loader's constructor: the dynamic linker waits,
 * and a thread that needs it while init waits for that thread would wait for ever. */
static void fall_back_ahead(struct work *w, const char *path)
{
  enum { LEAST = 20, FACTOR = 20 };
  const double limit = LEAST + FACTOR * w->init;
  const struct setting setting = {.seed = PROOF_SEED + 1, .align = w->frozen.align};
  w->back = *w->o;
  w->back.falls_back = true;
  w->back.fixed = !w->lib.moves;
  if (limit < w->back.time_limit)
    w->back.time_limit = (int)limit;
  /* the image, and the frozen library, which has its file's pages as well while it copies them */
  if (w->plan.fallback && at_once(w, 3) > 0 && processors() > 1)
    capture_ahead(&w->fallback, &w->back, &w->frozen, path, &setting, false);
}

static int prove_fallback(struct work *w, const char *path, struct error *e)
{
  if (!w->plan.fallback)
    return 0;
  progress(w, "proof, with init while the library is loaded", 0, 0);
  capture_free(&w->proof);
  if (!capture_fall_back(&w->fallback, &w->back, &w->frozen, path, PROOF_SEED + 1, e))
    return 0;
  char *text =
      xprintf("%s\n  this was init while the library is loaded, as it is run where the frozen "
              "state cannot be used;\n  use --fallback fail, which ends such a load instead",
              e->text);
  free(e->text);
  e->text = text;
  return -1;
}

static int write_and_prove(struct work *w, struct error *e)
{
  const char *output = w->o->output;
  if (write_frozen(&w->lib, &w->plan, &w->table, output, &temporary[0], e) ||
      library_read(&w->frozen, temporary[0], e))
    return -1;
  library_rename(&w->frozen, output);
  /* nobody asks for these: the plan has the image, and the table has been written */
  free(w->frozen.data);
  free(w->frozen.table);
  free(w->table.bytes.at);
  w->frozen.data = w->frozen.table = w->table.bytes.at = NULL;
  fall_back_ahead(w, temporary[0]);
  if (prove_frozen(w, temporary[0], e) || prove_fallback(w, temporary[0], e) ||
      write_commit(temporary[0], output, e))
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

static bool has_function(const struct library *lib, const char *name)
{
  for (size_t i = 0; i < lib->symbols.n; i++)
    if (lib->symbols.at[i].function && strcmp(lib->symbols.at[i].name, name) == 0)
      return true;
  return false;
}

/* A program at its address is there always.  A static one goes on with the heap that init has used, so
 * that nothing may be put in order there; and it can do without its frozen state when it was linked for that. */
static void suit_program(struct work *w)
{
  w->suited = *w->o;
  w->o = &w->suited;
  w->suited.fixed |= !w->lib.moves;
  if (!w->lib.is_static)
    return;
  w->suited.no_fallback |= !has_function(&w->lib, "urf_fallback");
  w->no_layout = true;
  if (!w->plain)
    w->plain = xstrdup("a static program goes on with the heap of its init");
}

/* One that was linked without urf.ld by way of a copy that says what urf.ld would have. */
static int read_input(struct work *w, struct error *e)
{
  const char *input = w->o->input;
  if (library_read(&w->lib, input, e))
    return -1;
  if (!w->lib.unscripted)
    return 0;
  if (library_complete(&w->lib, &temporary[1], e))
    return -1;
  library_free(&w->lib);
  if (library_read(&w->lib, temporary[1], e))
    return -1;
  library_rename(&w->lib, input);
  return 0;
}

static int pipeline(struct work *w, bool writes, struct error *e)
{
  if (read_input(w, e))
    return -1;
  if (w->o->fixed && w->lib.is_static && w->lib.moves)
    return fail(
        e, REFUSED,
        "%s: the kernel loads a static program that can be moved anywhere, whatever base it "
        "prefers; link it with -static -no-pie instead of using --fixed",
        w->o->input);
  suit_program(w);
  const struct options *o = w->o;
  if (w->lib.note.flags & URF_FROZEN)
    return fail(e, REFUSED, "%s: is frozen already; freeze the library it was made from", o->input);
  if (o->fixed && !w->lib.preferred)
    return fail(e, REFUSED,
                "%s: has no preferred base, which --fixed needs; link it with "
                "-Wl,-Ttext-segment=ADDRESS (lld: -Wl,--image-base=ADDRESS)",
                o->input);
  if ((writes && check_output(o, e)) || (o->policy && policy_read(&w->policy, o->policy, e)) ||
      rehearse(w, e) || judge(w, e))
    return -1;
  write_recipe(w);
  if (!o->no_fallback && fallback_calls(&w->plan, &w->lib, &w->runs[0], o, e))
    return -1;
  runs_forget(w);
  place(&w->table, &w->lib, &w->plan);
  if (prove_live(w, e) || (!o->quiet && look_around(w, e)) || (writes && write_and_prove(w, e)))
    return -1;
  struct summary s = {.input = o->input,
                      .output = writes ? o->output : NULL,
                      .seconds = seconds() - w->started,
                      .lib = &w->lib,
                      .plan = &w->plan,
                      .table = &w->table,
                      .run = &w->runs[0],
                      .runs = (int)w->n,
                      .left = &w->left,
                      .plain = w->plain};
  if (!o->quiet)
    report_warnings(stderr, &w->lib);
  if (!o->quiet)
    report_tells(stderr, &w->lib, &w->plan, &w->runs[0]);
  if (!o->quiet)
    report_plain(stderr, &w->lib, &w->plan, &w->runs[0]);
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

/* Again without a layout.  Not so for findings: a layout makes none, and with twice as many runs more of
 * what is random would come out the same in some by chance. */
static int freeze_plain(struct work *w, bool writes, struct error *e)
{
  struct work again = {.o = w->o,
                       .suited = w->suited,
                       .started = w->started,
                       .cache = module_cache_new(),
                       .plain = w->plain,
                       .no_layout = true};
  w->plain = NULL;
  work_free(w);
  error_free(e);
  *w = again;
  return pipeline(w, writes, e);
}

int freeze(const struct options *o, bool writes, struct error *e)
{
  struct work w = {.o = o, .started = seconds(), .cache = module_cache_new()};
  int status = pipeline(&w, writes, e);
  if (status && w.plain && w.layout)
    status = freeze_plain(&w, writes, e);
  if (status && o->json && !w.refused_json)
    report_refusal(stdout, o->input, e, NULL, NULL);
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
  else if (strcmp(word, "runner") == 0 && !o->runner)
    o->runner = argument;
  else if (strcmp(word, "layout") == 0)
    o->laid_out = strcmp(argument, "by rehearsal") == 0;
}

/* Words that the dynamic linker computes are in no table; they are what a fresh init has. */
static void learn_slots(struct plan *plan, const struct capture *live)
{
  for (size_t i = 0; i < plan->sites.n; i++) {
    struct site *s = &plan->sites.at[i];
    if (s->kind == SITE_POINTER && s->by_ldso)
      s->value = region_word(&live->region, s->offset) - live->bias;
  }
}

/* The layout, as the first run of the freeze had it. */
static int learn_again(struct work *w, const char *path, struct error *e)
{
  const int status =
      learn(w, path, e) || take(w, &w->runs[0], 0, path, &w->lib, 1, true, e) ? -1 : 0;
  capture_free(&w->runs[0]);
  return status;
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
  if (place_read(&w->plan, &w->frozen, e) ||
      write_original(&w->frozen, &w->plan, &temporary[1], e) ||
      library_read_original(&w->lib, temporary[1], w->frozen.note.self, e))
    return -1;
  library_rename(&w->lib, path);
  w->align = w->frozen.note.align;
  o->fixed = w->frozen.note.flags & URF_FIXED;
  if ((o->laid_out && learn_again(w, temporary[1], e)) ||
      take(w, &w->runs[0], 0, temporary[1], &w->lib, PROOF_SEED, true, e))
    return -1;
  learn_slots(&w->plan, &w->runs[0]);
  if (hold_against(w, &w->runs[0], false, path, "a fresh init are", e))
    return -1;
  runs_forget(w);
  return prove_frozen(w, path, e);
}

int verify(const struct options *given, struct error *e)
{
  struct options recalled = *given, *o = &recalled; /* the processes look at it until they end */
  struct work w = {.o = o, .started = seconds(), .cache = module_cache_new()};
  int status = verify_work(&w, o, e);
  if (!status && !o->quiet)
    printf("%s: as a fresh init leaves it, %zu bytes, loaded at %s\n", o->input, w.plan.size,
           o->fixed ? "its base" : "another address");
  work_free(&w);
  free(recalled.inits.at);
  free(recalled.env.at);
  return status;
}
