/* What a freeze did, when it is done, and what its user should know before a program loads it. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "json.h"

enum { PAGE = 4096, SHOWN = 4 }; /* places of one kind */

struct counts {
  uint64_t pointers, odd, rotated, imports, import_words, dead;
  uint64_t kept, zeroed, rethawed, transient; /* bytes */
  uint64_t pages, heap_pages;                 /* that a load writes; those of the heap */
  uint64_t *words;                            /* of each import */
};

static void count_sites(struct counts *n, const struct summary *s)
{
  const struct plan *plan = s->plan;
  const struct table *t = s->table;
  *n = (struct counts){.pointers = t->n_pointers + t->n_odd + t->n_rotated,
                       .odd = t->n_odd,
                       .rotated = t->n_rotated,
                       .words = xalloc(plan->imports.n * sizeof *n->words)};
  for (size_t i = 0; i < plan->sites.n; i++) {
    const struct site *site = &plan->sites.at[i];
    n->dead += site->kind == SITE_DEAD;
    n->kept += site->kind == SITE_KEEP ? site->size : 0;
    n->zeroed += site->kind == SITE_ZERO ? site->size : 0;
    n->rethawed += site->kind == SITE_RETHAW ? site->size : 0;
    n->transient += site->kind == SITE_TRANSIENT ? site->size : 0;
    if (site->kind == SITE_IMPORT && site->import < plan->imports.n) {
      n->words[site->import]++;
      n->import_words++;
    }
  }
  for (size_t i = 0; i < plan->plain.n; i++)
    n->kept -= plan->plain.at[i].size;
  for (size_t i = 0; i < plan->imports.n; i++)
    n->imports += !is_condition(plan->imports.at[i].kind);
}

static void mark(unsigned char *pages, size_t n, uint64_t offset, unsigned word)
{
  for (uint64_t page = offset / PAGE; page <= (offset + word - 1) / PAGE && page < n; page++)
    pages[page] = 1;
}

/* With a word that a load writes, the dynamic linker's included. */
static void count_pages(struct counts *n, const struct summary *s)
{
  const struct plan *plan = s->plan;
  const struct library *lib = s->lib;
  const uint64_t base = lib->note.data / PAGE * PAGE, by = lib->note.data - base;
  const size_t pages = (plan->size + by) / PAGE + 1;
  unsigned char *page = xalloc(pages);
  for (size_t i = bitmap_next(&plan->pointers, 0); i < plan->pointers.n;
       i = bitmap_next(&plan->pointers, i + 1))
    mark(page, pages, by + i * lib->form.word, lib->form.word);
  for (size_t i = 0; i < plan->sites.n; i++)
    if (plan->sites.at[i].kind == SITE_POINTER || plan->sites.at[i].kind == SITE_IMPORT)
      mark(page, pages, by + plan->sites.at[i].offset, lib->form.word);
  for (size_t i = 0; i < lib->slots.n; i++)
    mark(page, pages, lib->slots.at[i].address - base, lib->form.word);
  for (size_t i = 0; i < pages; i++) {
    n->pages += page[i];
    n->heap_pages += i >= (lib->note.heap - base) / PAGE ? page[i] : 0;
  }
  free(page);
}

static uint64_t file_size(const char *path)
{
  struct stat st;
  return path && !stat(path, &st) ? (uint64_t)st.st_size : 0;
}

static uint64_t heap_size(const struct summary *s)
{
  return s->plan->size - (size_t)(s->lib->note.heap - s->lib->note.data);
}

static bool has_cpu(const struct plan *plan)
{
  static const uint32_t none[URF_CPU_WORDS];
  return memcmp(plan->cpu, none, sizeof none) != 0;
}

static const char *const led_to[] = {
    [DEAD_FRAME] = "stack frames that init has left",
    [DEAD_STACK] = "stacks of threads that have ended",
    [DEAD_MAPPING] = "mappings that are gone",
};
_Static_assert(sizeof led_to / sizeof *led_to == DEAD_KINDS, "each kind has its name");

/* Where they are: a bound that is compared with (the base of a stack) is no dead pointer to its
 * library. */
static void print_dead(FILE *f, const struct summary *s, enum dead kind)
{
  const struct plan *plan = s->plan;
  uint64_t n = 0;
  for (size_t i = 0; i < plan->sites.n; i++)
    n += plan->sites.at[i].kind == SITE_DEAD && plan->sites.at[i].dead == kind;
  if (n)
    fprintf(f, "  %ju pointers into %s, made invalid\n", (uintmax_t)n, led_to[kind]);
  for (size_t i = 0, shown = 0; i < plan->sites.n && shown < SHOWN; i++) {
    if (plan->sites.at[i].kind != SITE_DEAD || plan->sites.at[i].dead != kind)
      continue;
    char *place = report_place(s->lib, s->run, plan->sites.at[i].offset);
    fprintf(f, "    %s\n", place);
    free(place);
    shown++;
  }
  if (n > SHOWN)
    fprintf(f, "    and %ju more\n", (uintmax_t)n - SHOWN);
}

/* Pointers that are good for one build of a module only. */
static void print_offsets(FILE *f, const struct summary *s, const struct counts *n)
{
  const struct plan *plan = s->plan;
  for (size_t i = 0; i < plan->imports.n; i++) {
    const struct import *m = &plan->imports.at[i];
    uint64_t words = 0;
    bool first = m->kind == URF_IMPORT_OFFSET;
    for (size_t j = 0; j < plan->imports.n; j++) {
      const struct import *other = &plan->imports.at[j];
      if (other->kind != URF_IMPORT_OFFSET || strcmp(m->version, other->version) != 0)
        continue;
      words += n->words[j];
      first &= j >= i;
    }
    if (first)
      fprintf(f, "    %ju of them at no symbol of %s: with another build of it %s (build-id %s)\n",
              (uintmax_t)words, m->module, plan->fallback ? "init is run" : "the load fails",
              m->version);
  }
}

static void print_unwritten(FILE *f, const struct summary *s)
{
  const struct plan *plan = s->plan;
  uint64_t bytes = 0;
  size_t n = 0;
  for (size_t i = 0; i < plan->sites.n; i++)
    bytes += plan->sites.at[i].kind == SITE_UNWRITTEN ? plan->sites.at[i].size : 0;
  if (bytes)
    fprintf(f, "  %ju bytes that init has never written, cleared\n", (uintmax_t)bytes);
  for (size_t i = 0; i < plan->sites.n; i++) {
    if (plan->sites.at[i].kind != SITE_UNWRITTEN || n++ >= SHOWN)
      continue;
    char *place = report_place(s->lib, s->run, plan->sites.at[i].offset);
    fprintf(f, "    %s\n", place);
    free(place);
  }
  if (n > SHOWN)
    fprintf(f, "    and %zu more\n", n - SHOWN);
}

/* Programs that were not compiled as position-independent code make copies of variables. */
void report_warnings(FILE *f, const struct library *lib)
{
  unsigned n = 0;
  for (size_t i = 0; i < lib->owns.n; i++)
    if (own_is_variable(lib, &lib->owns.at[i]) && ++n <= SHOWN)
      fprintf(f,
              n == 1 ? "turf: %s: warning: a program that copies one of these exported variables "
                       "cannot load it: %s"
                     : "%.0s, %s",
              lib->path, lib->owns.at[i].name);
  if (n)
    fprintf(f,
            "%s; hide what is not meant for programs (-fvisibility=hidden, a version script), and "
            "compile those that use the rest with -fPIE\n",
            n > SHOWN ? ", ..." : "");
}

void report_tells(FILE *f, const struct library *lib, const struct plan *plan,
                  const struct capture *c)
{
  for (size_t i = 0; i < plan->tells.n && i < SHOWN; i++) {
    const struct telltale *t = &plan->tells.at[i];
    char *place = report_place(lib, c, t->offset);
    char *what = report_what(lib, c, t->offset, (unsigned)t->size);
    fprintf(
        f,
        "turf: %s: warning: %s holds %s, and so will the frozen file for all to read: forget it "
        "in a function of URF_ON_FREEZE, or clear it (or keep it, without this warning) with a "
        "line of the policy: %s zero REASON\n",
        lib->path, place, t->what, what);
    free(place);
    free(what);
  }
  if (plan->tells.n > SHOWN)
    fprintf(f, "turf: %s: warning: and %zu more such strings\n", lib->path, plan->tells.n - SHOWN);
}

void report_plain(FILE *f, const struct library *lib, const struct plan *plan,
                  const struct capture *c)
{
  for (size_t i = 0; i < plan->plain.n && i < SHOWN; i++) {
    const struct finding *x = &plan->plain.at[i];
    char *place = report_place(lib, c, x->offset), *what = report_what(lib, c, x->offset, x->size);
    const char *is = x->varies == THING_PROCESS ? "id of the process that ran init"
                     : x->varies == THING_CPU   ? "CPU time that init had used"
                                                : "time when init ran";
    fprintf(f,
            "turf: %s: warning: %s is the %s: every process that loads the library will "
            "find that of the freeze there; set it in a function of URF_ON_THAW, or clear it with "
            "a line of the policy: %s zero REASON\n",
            lib->path, place, is, what);
    free(place);
    free(what);
  }
  if (plan->plain.n > SHOWN)
    fprintf(f, "turf: %s: warning: and %zu more words with a time or an id\n", lib->path,
            plan->plain.n - SHOWN);
}

static void print_summary(FILE *f, const struct summary *s, const struct counts *n)
{
  const struct plan *plan = s->plan;
  if (s->output)
    fprintf(f, "%s: %s, initialised, %ju bytes\n", s->output, s->input,
            (uintmax_t)file_size(s->output));
  else
    fprintf(f, "%s: can be frozen\n", s->input);
  fprintf(f, "  %zu bytes of state, %ju of them heap; the same in %d runs but for\n", plan->size,
          (uintmax_t)heap_size(s), s->runs);
  fprintf(f, "  %ju pointers into the library (%ju at odd addresses, %ju rotated)\n",
          (uintmax_t)n->pointers, (uintmax_t)n->odd, (uintmax_t)n->rotated);
  fprintf(f, "  %ju pointers to other modules (%ju imports)\n", (uintmax_t)n->import_words,
          (uintmax_t)n->imports);
  print_offsets(f, s, n);
  for (enum dead kind = 0; kind < DEAD_KINDS; kind++)
    print_dead(f, s, kind);
  print_unwritten(f, s);
  if (n->kept || n->zeroed)
    fprintf(f, "  %ju bytes kept and %ju zeroed by policy\n", (uintmax_t)n->kept,
            (uintmax_t)n->zeroed);
  if (n->rethawed || n->transient)
    fprintf(f, "  %ju bytes set again by hooks and %ju left as they start, by policy\n",
            (uintmax_t)n->rethawed, (uintmax_t)n->transient);
  if (s->left->blocks)
    fprintf(
        f, "  %ju bytes in %ju blocks are left of what init allocated, %ju of them with pointers\n",
        (uintmax_t)s->left->bytes, (uintmax_t)s->left->blocks, (uintmax_t)s->left->pointer_bytes);
  if (s->plain)
    fprintf(f, "  the heap has its plain layout: %s\n", s->plain);
  fprintf(f, "  a load writes %ju of %ju pages\n", (uintmax_t)n->pages,
          (uintmax_t)(plan->size + PAGE - 1) / PAGE);
  if (has_cpu(plan))
    fprintf(f,
            "  only for CPUs with all features of this one, which init may have looked at (%s);\n"
            "    if the state does not depend on them: process:cpu keep REASON, in the policy\n",
            plan->cpu_seen);
  if (plan->page_seen)
    fprintf(f, "  only where pages have 4096 bytes, which init may have seen (%s)\n",
            plan->page_seen);
  if (plan->align > 4096)
    fprintf(f, "  it can be loaded at multiples of %ju bytes only\n", (uintmax_t)plan->align);
  if (s->output)
    fprintf(f, "  %.2f seconds\n", s->seconds);
}

static json_t *tells_json(const struct summary *s)
{
  json_t *list = json_array();
  for (size_t i = 0; i < s->plan->tells.n; i++) {
    const struct telltale *t = &s->plan->tells.at[i];
    json_t *x = json_object();
    char *place = report_place(s->lib, s->run, t->offset);
    json_put(x, "place", json_text(place));
    json_put(x, "what", json_text(t->what));
    json_array_append_new(list, x);
    free(place);
  }
  return list;
}

static void summary_json(FILE *f, const struct summary *s, const struct counts *n)
{
  const struct plan *plan = s->plan;
  json_t *root = json_object(), *imports = json_array(), *dead = json_array();
  json_t *exported = json_array();
  json_put(root, "verdict", json_text(s->output ? "frozen" : "can be frozen"));
  json_put(root, "status", json_integer(DONE));
  json_put(root, "input", json_text(s->input));
  json_put(root, "output", s->output ? json_text(s->output) : json_null());
  json_put(root, "runs", json_integer(s->runs));
  json_put(root, "region", json_number(plan->size));
  json_put(root, "heap", json_number(heap_size(s)));
  json_put(root, "layout", json_text(s->plain ? "plain" : "by rehearsal"));
  json_put(root, "layout_why", s->plain ? json_text(s->plain) : json_null());
  json_put(root, "surviving_allocations", json_number(s->left->blocks));
  json_put(root, "surviving_bytes", json_number(s->left->bytes));
  json_put(root, "surviving_pointer_allocations", json_number(s->left->pointer_blocks));
  json_put(root, "surviving_pointer_bytes", json_number(s->left->pointer_bytes));
  json_put(root, "pages_written", json_number(n->pages));
  json_put(root, "heap_pages_written", json_number(n->heap_pages));
  json_put(root, "file_size", json_number(file_size(s->output)));
  json_put(root, "align", json_number(plan->align));
  json_put(root, "cpu", has_cpu(plan) ? json_text(plan->cpu_seen) : json_null());
  json_put(root, "pages", plan->page_seen ? json_text(plan->page_seen) : json_null());
  json_put(root, "pointers", json_number(n->pointers));
  json_put(root, "odd_pointers", json_number(n->odd));
  json_put(root, "rotated_pointers", json_number(n->rotated));
  json_put(root, "import_words", json_number(n->import_words));
  json_put(root, "dead", json_number(n->dead));
  json_put(root, "kept", json_number(n->kept));
  json_put(root, "plain", json_number(plan->plain.n));
  json_put(root, "zeroed", json_number(n->zeroed));
  json_put(root, "rethawed", json_number(n->rethawed));
  json_put(root, "transient", json_number(n->transient));
  for (size_t i = 0; i < plan->imports.n; i++) {
    const struct import *x = &plan->imports.at[i];
    json_array_append_new(
        imports, json_import(x->name, x->version, x->module, x->kind, x->addend, n->words[i]));
  }
  json_put(root, "imports", imports);
  for (size_t i = 0; i < plan->sites.n; i++)
    if (plan->sites.at[i].kind == SITE_DEAD) {
      char *place = report_place(s->lib, s->run, plan->sites.at[i].offset);
      json_array_append_new(dead, json_text(place));
      free(place);
    }
  json_put(root, "dead_places", dead);
  for (size_t i = 0; i < s->lib->owns.n; i++)
    if (own_is_variable(s->lib, &s->lib->owns.at[i]))
      json_array_append_new(exported, json_text(s->lib->owns.at[i].name));
  json_put(root, "exported_variables", exported);
  json_put(root, "telling_strings", tells_json(s));
  json_print(f, root);
}

void report_summary(FILE *f, const struct summary *s, bool json)
{
  struct counts n;
  count_sites(&n, s);
  count_pages(&n, s);
  if (json)
    summary_json(f, s, &n);
  else
    print_summary(f, s, &n);
  free(n.words);
}
