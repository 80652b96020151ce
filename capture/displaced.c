/* Whether everything lies elsewhere in one process than in another. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "turf.h"

/* How far things that have the same name in both processes are apart. */
struct moved {
  LIST(struct movement {
    const char *what;
    uint64_t by;
  })
  list;
};

static void add_moved(struct moved *m, const char *what, uint64_t from, uint64_t to)
{
  *PUSH(&m->list) = (struct movement){what, to - from};
}

/* The first mapping of that name. */
static uint64_t mapped_at(const struct capture *c, const char *what)
{
  for (size_t i = 0; i < c->mappings.n; i++)
    if (strcmp(c->mappings.at[i].what, what) == 0)
      return c->mappings.at[i].lo;
  return 0;
}

static void list_moved(struct moved *m, const struct capture *a, const struct capture *b)
{
  static const char *const special[] = {"[stack]", "[heap]"};
  add_moved(m, "the library", a->bias, b->bias);
  add_moved(m, "the host program", a->host_lo, b->host_lo);
  for (size_t i = 0; i < a->modules.n && i < b->modules.n; i++)
    if (strcmp(a->modules.at[i].path, b->modules.at[i].path) == 0)
      add_moved(m, a->modules.at[i].path, a->modules.at[i].bias, b->modules.at[i].bias);
  for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
    uint64_t in_a = mapped_at(a, special[i]), in_b = mapped_at(b, special[i]);
    if (in_a && in_b)
      add_moved(m, special[i], in_a, in_b);
  }
}

/* In both it would be next to something. */
static int made_displaced(const struct capture *a, const struct capture *b, struct error *e)
{
  for (size_t i = 0; i < a->made.n && i < b->made.n; i++)
    if (a->made.at[i].fell && b->made.at[i].fell)
      return fail(
          e, SYSTEM,
          "there was no place of its own for a mapping of %" PRIu64
          " bytes, made when the library was loaded or init ran, in two processes of 32 bits",
          a->made.at[i].size);
  return 0;
}

int capture_displaced(const struct capture *a, const struct capture *b, bool fixed, struct error *e)
{
  struct moved m = {0};
  int status = made_displaced(a, b, e);
  list_moved(&m, a, b);
  for (size_t i = 0; i < m.list.n && !status; i++) {
    const struct movement *x = &m.list.at[i];
    if (!x->by && !(fixed && i == 0))
      status = fail(e, SYSTEM,
                    "%s is at the same address in two processes; set "
                    "/proc/sys/kernel/randomize_va_space to 2, or give --runner an emulator that "
                    "lets the kernel, or turf, choose addresses, as qemu-user 7.2 does",
                    x->what);
    for (size_t j = 0; j < i && !status; j++)
      if (m.list.at[j].by == x->by)
        status = fail(e, SYSTEM, "%s and %s were displaced by the same amount", x->what,
                      m.list.at[j].what);
  }
  free(m.list.at);
  return status;
}
