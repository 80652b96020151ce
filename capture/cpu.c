/* Whether init may have seen which features the CPU has: then the frozen library is for CPUs that have
 * them all; and the same of the size of the kernel's pages.  What it asks other modules for by other names
 * than these is not noticed. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "turf.h"

/* getauxval(3); libgcc's and glibc's (sys/platform/x86.h) */
static const char *const names[] = {"getauxval",
                                    "__getauxval",
                                    "__riscv_hwprobe",
                                    "__cpu_model",
                                    "__cpu_indicator_init",
                                    "__x86_get_cpuid_feature_leaf",
                                    "__x86_get_cpu_features",
                                    "_dl_x86_get_cpu_features"};

static char *place_in(const struct library *lib, uint64_t address)
{
  const struct symbol *s = library_symbol(lib, address);
  return s ? xprintf("%s+0x%" PRIx64, s->name, address - s->value)
           : xprintf("the code at 0x%" PRIx64, address);
}

/* The loader's own are marked. */
static void drop_own(const struct code *code, struct offsets *list)
{
  static const char mark[] = URF_CPU_MARK;
  const size_t marked = sizeof mark - 1, n = list->list.n;
  list->list.n = 0;
  for (size_t i = 0; i < n; i++) {
    const uint64_t at = list->list.at[i];
    if (at < marked || memcmp(code->at + at - marked, mark, marked) != 0)
      list->list.at[list->list.n++] = at;
  }
}

/* Of several places, which may be parts of other instructions, the one to name. */
static uint64_t choose(const struct library *lib, const struct offsets *list)
{
  for (size_t i = 0; i < list->list.n; i++) {
    const struct symbol *s = library_symbol(lib, lib->lo + list->list.at[i]);
    if (s && strstr(s->name, "cpu"))
      return list->list.at[i];
  }
  return list->list.at[0];
}

static void add_parts(struct code *code, const struct capture *c)
{
  const uint64_t lo = c->bias + c->lib->lo, end = lo + code->size;
  for (size_t i = 0; i < c->mappings.n; i++) {
    const struct mapping *m = &c->mappings.at[i];
    if (m->prot & 4 && m->lo >= lo && m->lo < end)
      *PUSH(&code->parts) = (struct range){m->lo - lo, (m->hi < end ? m->hi : end) - m->lo};
  }
}

/* Where instructions begin: functions, and what words in front of the heap lead to. */
static int add_starts(struct code *code, struct capture *c, struct error *e)
{
  const struct library *lib = c->lib;
  const size_t size = lib->note.heap - lib->note.data;
  unsigned char *region = xalloc(size);
  int status = capture_read(c, lib->note.data, size, region, e);
  for (size_t i = 0; i < lib->symbols.n; i++)
    if (lib->symbols.at[i].function)
      code_add_start(code, lib->symbols.at[i].value - lib->lo);
  code_add_start(code, lib->init - lib->lo);
  if (lib->unwind)
    code_add_unwind(code, lib->unwind - lib->lo);
  code_add_words(code, code->at, code->size, c->bias + lib->lo);
  if (!status)
    code_add_words(code, region, size, c->bias + lib->lo);
  free(region);
  return status;
}

static int look_at_code(struct capture *c, char **seen, struct error *e)
{
  const struct library *lib = c->lib;
  const size_t size = lib->note.data - lib->lo;
  unsigned char *image = xalloc(size);
  struct code code = {.at = image, .size = size};
  struct offsets places = {0};
  int status = capture_read(c, lib->lo, size, image, e);
  if (!status) {
    add_parts(&code, c);
    code_find(&code, lib->machine, &places);
    drop_own(&code, &places);
  }
  const bool sifts = lib->machine->asks.sifts;
  if (!status && places.list.n && sifts)
    status = add_starts(&code, c, e);
  if (!status && places.list.n && sifts)
    status = code_sift(&code, &places, e);
  if (!status && places.list.n)
    *seen = place_in(lib, lib->lo + choose(lib, &places));
  free(places.list.at);
  code_free(&code);
  free(image);
  return status;
}

/* A static program has what it calls; one without symbols may have anything. */
static bool has(const struct library *lib, const char *name)
{
  for (size_t i = 0; lib->is_static && i < lib->symbols.n; i++)
    if (strcmp(lib->symbols.at[i].name, name) == 0)
      return true;
  return library_needs(lib, name, "") || (lib->is_static && !lib->symbols.n);
}

int cpu_look(struct plan *plan, struct capture *c, struct policy *policy, struct error *e)
{
  const struct library *lib = c->lib;
  for (size_t i = 0; i < sizeof names / sizeof *names && !plan->cpu_seen; i++)
    if (has(lib, names[i]))
      plan->cpu_seen = xstrdup(names[i]);
  if (!plan->cpu_seen && look_at_code(c, &plan->cpu_seen, e))
    return -1;
  if (plan->cpu_seen && !outside_accepts(policy, "cpu"))
    memcpy(plan->cpu, c->cpu, sizeof plan->cpu);
  return 0;
}

void page_look(struct plan *plan, const struct capture *c)
{
  /* sysconf(3), getpagesize(2), getauxval(3) */
  static const char *const ask[] = {"sysconf", "getpagesize", "__getpagesize", "getauxval"};
  if (!c->lib->machine->largest_page)
    return;
  for (size_t i = 0; i < sizeof ask / sizeof *ask && !plan->page_seen; i++)
    if (has(c->lib, ask[i]))
      plan->page_seen = ask[i];
  if (!plan->page_seen && c->protections.n)
    plan->page_seen = "mprotect";
}
