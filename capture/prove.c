/* The proof: what a process has in memory against what the plan says. */

#include <stdlib.h>
#include <string.h>

#include "turf.h"

struct proof {
  const struct plan *plan;
  struct capture *c;
  bool thawed;
  unsigned word;
  unsigned char *left; /* what has to equal the image, byte for byte */
  uint64_t *address;   /* of the imports in this process */
  struct cover keeps;
  size_t *bad, cap, n;
};

static void add_bad(struct proof *p, size_t offset)
{
  if (p->n && p->n <= p->cap && p->bad[p->n - 1] == offset)
    return;
  if (p->n < p->cap)
    p->bad[p->n] = offset;
  p->n++;
}

static void take_image(struct proof *p, size_t offset, size_t size)
{
  memcpy(p->left + offset, p->plan->image + offset, size);
}

/* A word that has to hold one value in this process, and then counts as what the file has. */
static void expect(struct proof *p, const struct site *s, uint64_t value)
{
  if (get_word(p->left + s->offset, p->word) != value)
    add_bad(p, s->offset);
  take_image(p, s->offset, s->size);
}

static void look_at(struct proof *p, const struct site *s)
{
  if (!p->thawed && cover_find(&p->keeps, s->offset, s->size) != SIZE_MAX)
    return;
  switch (s->kind) {
  case SITE_POINTER:
    expect(p, s,
           rotate_left(s->value + p->c->bias, p->word, (8 * p->word - s->rotated) % (8 * p->word)));
    break;
  case SITE_IMPORT: {
    const struct import *m = &p->plan->imports.at[s->import];
    const uint64_t address = p->address[s->import], addend = (uint64_t)m->addend;
    expect(p, s, m->kind == URF_IMPORT_FOLLOW ? s->value - addend + address : address + addend);
    break;
  }
  case SITE_DEAD:
  case SITE_KEEP:
  case SITE_ZERO:
  case SITE_UNWRITTEN:
  case SITE_RETHAW:
  case SITE_TRANSIENT:
    if (!p->thawed)
      take_image(p, s->offset, s->size);
    break;
  }
}

/* A variable of another module that holds the pointer which was frozen even where init has not run:
 * one that init, or something that it called, has set would say nothing at load. */
static bool leads_to(const struct capture *c, uint64_t address, const struct import *m)
{
  for (size_t i = 0; i < c->modules.n; i++)
    if (strcmp(c->modules.at[i].path, m->path) == 0)
      return address == c->modules.at[i].bias + m->offset;
  return false;
}

/* The bias of the module with that build-id, or no address. */
static uint64_t bias_of(const struct capture *c, const char *build_id)
{
  for (size_t i = 0; i < c->modules.n; i++)
    if (c->modules.at[i].exports && strcmp(c->modules.at[i].exports->build_id, build_id) == 0)
      return c->modules.at[i].bias;
  return UINT64_MAX;
}

static void find_imports(struct proof *p)
{
  p->address = xalloc(p->plan->imports.n * sizeof *p->address);
  for (size_t i = 0; i < p->plan->imports.n; i++) {
    const struct import *m = &p->plan->imports.at[i];
    p->address[i] =
        m->kind == URF_IMPORT_THREAD   ? p->c->thread
        : m->kind == URF_IMPORT_OFFSET ? bias_of(p->c, m->version)
        : m->kind == URF_IMPORT_TLS
            ? p->c->tls
            : capture_resolve(p->c, m->name, m->version, m->slot, m->kind == URF_IMPORT_VALUE);
    if (m->path && !leads_to(p->c, p->address[i], m))
      p->address[i] = UINT64_MAX; /* no address */
  }
}

/* The variables of the loader: at work in a frozen library, at rest in its file. */
static void mask_loader(struct proof *p)
{
  const struct urf_note *note = &p->c->lib->note;
  uint64_t offset = note->state - note->data;
  if (offset < p->plan->size && note->state_size <= p->plan->size - offset)
    take_image(p, offset, note->state_size);
}

size_t prove(const struct plan *plan, struct capture *c, bool thawed, size_t *bad, size_t cap)
{
  struct proof p = {
      .plan = plan, .c = c, .thawed = thawed, .word = c->lib->word, .bad = bad, .cap = cap};
  p.left = xalloc(plan->size);
  copy_sparse(p.left, c->region, c->size < plan->size ? c->size : plan->size);
  find_imports(&p);
  for (size_t i = 0; i < plan->keeps.n; i++)
    cover_add(&p.keeps, plan->keeps.at[i].offset, plan->keeps.at[i].size, i);
  cover_sort(&p.keeps);
  for (size_t i = 0; i < plan->sites.n; i++)
    look_at(&p, &plan->sites.at[i]);
  for (size_t i = 0; i < plan->keeps.n && !thawed; i++)
    take_image(&p, plan->keeps.at[i].offset, plan->keeps.at[i].size);
  if (thawed)
    mask_loader(&p);
  for (size_t at = 0; at < plan->size; at += p.word) {
    size_t n = plan->size - at < p.word ? plan->size - at : p.word;
    if (memcmp(p.left + at, plan->image + at, n) != 0)
      add_bad(&p, at);
  }
  if (c->size > plan->size)
    add_bad(&p, plan->size);
  free(p.left);
  free(p.address);
  free(p.keeps.list.at);
  return p.n;
}

/* Whether two addresses lead to one place: in the library, in the same module, or where both have it. */
static bool same_place(const struct capture *a, const struct capture *b, uint64_t in_a,
                       uint64_t in_b)
{
  const uint64_t by = in_b - in_a;
  if (!by || by == b->bias - a->bias || by == b->host_lo - a->host_lo)
    return true;
  for (size_t i = 0; i < a->modules.n; i++)
    for (size_t j = 0; j < b->modules.n; j++)
      if (by == b->modules.at[j].bias - a->modules.at[i].bias &&
          strcmp(a->modules.at[i].path, b->modules.at[j].path) == 0)
        return true;
  return false;
}

size_t prove_links(const struct capture *live, const struct capture *frozen, uint64_t first,
                   const unsigned char *a, const unsigned char *b)
{
  const struct library *lib = live->lib;
  size_t i = 0;
  while (i < lib->links.n &&
         same_place(live, frozen, get_word(a + (lib->links.at[i] - first), lib->word),
                    get_word(b + (lib->links.at[i] - first), lib->word)))
    i++;
  return i;
}
