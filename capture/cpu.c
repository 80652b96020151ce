/* Whether init may have seen which features the CPU has: then the frozen library is for CPUs that have
 * them all.  What it asks other modules for by other names than these is not noticed. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "turf.h"

/* getauxval(3); libgcc's and glibc's (sys/platform/x86.h) */
static const char *const names[] = {"getauxval",
                                    "__cpu_model",
                                    "__cpu_indicator_init",
                                    "__x86_get_cpuid_feature_leaf",
                                    "__x86_get_cpu_features",
                                    "_dl_x86_get_cpu_features"};

/* The instruction that asks, cpuid; the loader's own is marked. */
static const unsigned char instruction[2] = {0x0f, 0xa2};

static char *place_in(const struct library *lib, uint64_t address)
{
  const struct symbol *s = library_symbol(lib, address);
  return s ? xprintf("%s+0x%" PRIx64, s->name, address - s->value)
           : xprintf("the code at 0x%" PRIx64, address);
}

/* The first such place in n bytes of code from at on, or n. */
static size_t find(const unsigned char *code, size_t n, size_t at)
{
  static const char mark[] = URF_CPU_MARK;
  const size_t marked = sizeof mark - 1;
  for (size_t i = at; i + sizeof instruction <= n; i++)
    if (memcmp(code + i, instruction, sizeof instruction) == 0 &&
        (i < marked || memcmp(code + i - marked, mark, marked) != 0))
      return i;
  return n;
}

/* Of several places, which may be parts of other instructions, the one to name. */
static size_t choose(const struct library *lib, const unsigned char *code, size_t n, uint64_t lo)
{
  const size_t first = find(code, n, 0);
  for (size_t at = first; at < n; at = find(code, n, at + 1)) {
    const struct symbol *s = library_symbol(lib, lo + at);
    if (s && strstr(s->name, "cpu"))
      return at;
  }
  return first;
}

static int look_in(struct capture *c, const struct mapping *m, char **seen, struct error *e)
{
  const uint64_t lo = m->lo - c->bias, end = c->lib->note.data;
  const size_t size = (m->hi - c->bias < end ? m->hi - c->bias : end) - lo;
  unsigned char *code = xalloc(size);
  int status = capture_read(c, lo, size, code, e);
  size_t at = status ? size : choose(c->lib, code, size, lo);
  if (at < size)
    *seen = place_in(c->lib, lo + at);
  free(code);
  return status;
}

int cpu_look(struct plan *plan, struct capture *c, struct policy *policy, struct error *e)
{
  const struct library *lib = c->lib;
  for (size_t i = 0; i < sizeof names / sizeof *names && !plan->cpu_seen; i++)
    if (library_needs(lib, names[i], ""))
      plan->cpu_seen = xstrdup(names[i]);
  for (size_t i = 0; i < c->mappings.n && !plan->cpu_seen; i++) {
    const struct mapping *m = &c->mappings.at[i];
    if (m->prot & 4 && m->lo >= c->bias + lib->lo && m->lo < c->bias + lib->note.data &&
        look_in(c, m, &plan->cpu_seen, e))
      return -1;
  }
  if (plan->cpu_seen && !outside_accepts(policy, "cpu"))
    memcpy(plan->cpu, c->cpu, sizeof plan->cpu);
  return 0;
}
