/* The proof: what a process has in memory against what the plan says. */

#include <stdlib.h>
#include <string.h>

#include "turf.h"

struct proof {
  const struct plan *plan;
  struct capture *c;
  bool thawed;
  struct form form;
  uint64_t *address;  /* of the imports in this process */
  struct mask right;  /* bytes that have been looked at, or need not be */
  struct cover keeps; /* of a live process */
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

static bool is_kept(const struct proof *p, size_t offset, size_t size)
{
  return cover_find(&p->keeps, offset, size) != SIZE_MAX;
}

/* A word that has to hold one value in this process. */
static void expect(struct proof *p, const struct site *s, uint64_t value)
{
  unsigned char expected[8] = {0};
  put_word(expected, p->form, value);
  if (region_word(&p->c->region, s->offset) != get_word(expected, p->form))
    add_bad(p, s->offset);
  mask_add(&p->right, s->offset, s->size);
}

static void look_at(struct proof *p, const struct site *s)
{
  if (is_kept(p, s->offset, s->size))
    return;
  switch (s->kind) {
  case SITE_POINTER:
    expect(p, s,
           rotate_left(s->value + p->c->bias, p->form.word,
                       (8 * p->form.word - s->rotated) % (8 * p->form.word)));
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
      mask_add(&p->right, s->offset, s->size);
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
    mask_add(&p->right, offset, note->state_size);
}

/* Whether all words of a page are what the image says, nothing being masked. */
static bool is_page_right(const struct proof *p, size_t at, const unsigned char *page)
{
  const uint64_t *bits = p->plan->pointers.at + at / 8 / 64, bias = p->c->bias;
  const unsigned char *image = p->plan->image + at;
  uint64_t differ = 0;
  for (size_t i = 0; i < REGION_PAGE / 8 / 64; i++)
    for (uint64_t map = bits[i], j = 0; j < 64; j++, map >>= 1, image += 8, page += 8)
      differ |= get_word(page, native(8)) - (bias & -(map & 1)) - get_word(image, native(8));
  return !differ;
}

/* Plain pointers on the page, which then count as what the file has. */
static void look_at_pointers(struct proof *p, size_t at, size_t n, unsigned char *page)
{
  const struct bitmap *b = &p->plan->pointers;
  const unsigned word = p->form.word;
  for (size_t i = bitmap_next(b, at / word); i < b->n && i * word < at + n;
       i = bitmap_next(b, i + 1)) {
    const size_t offset = i * word;
    const uint64_t value = get_word(p->plan->image + offset, p->form);
    unsigned char expected[8];
    put_word(expected, p->form, value + p->c->bias);
    if (memcmp(page + (offset - at), expected, word) != 0 && !is_kept(p, offset, word))
      add_bad(p, offset);
    put_word(page + (offset - at), p->form, value);
  }
}

static void look_at_page(struct proof *p, size_t at)
{
  const size_t n = p->plan->size - at < REGION_PAGE ? p->plan->size - at : REGION_PAGE;
  unsigned char room[REGION_PAGE] = {0}, copy[REGION_PAGE];
  const unsigned char *page = at < p->c->region.room ? region_page(&p->c->region, at, room) : room;
  if (n == REGION_PAGE && p->form.word == 8 && !p->form.swapped &&
      !mask_touches(&p->right, at, n) && is_page_right(p, at, page))
    return;
  memcpy(copy, page, n);
  look_at_pointers(p, at, n, copy);
  mask_page(&p->right, at, n, copy, p->plan->image + at);
  for (size_t i = 0; i < n; i += p->form.word)
    if (memcmp(copy + i, p->plan->image + at + i, n - i < p->form.word ? n - i : p->form.word) != 0)
      add_bad(p, at + i);
}

size_t prove(const struct plan *plan, struct capture *c, bool thawed, size_t *bad, size_t cap)
{
  struct proof p = {
      .plan = plan, .c = c, .thawed = thawed, .form = c->lib->form, .bad = bad, .cap = cap};
  find_imports(&p);
  for (size_t i = 0; i < plan->keeps.n && !thawed; i++) {
    cover_add(&p.keeps, plan->keeps.at[i].offset, plan->keeps.at[i].size, i);
    mask_add(&p.right, plan->keeps.at[i].offset, plan->keeps.at[i].size);
  }
  cover_sort(&p.keeps);
  for (size_t i = 0; i < plan->sites.n; i++)
    look_at(&p, &plan->sites.at[i]);
  if (thawed)
    mask_loader(&p);
  mask_sort(&p.right);
  for (size_t at = 0; at < plan->size; at += REGION_PAGE)
    look_at_page(&p, at);
  if (c->size > plan->size)
    add_bad(&p, plan->size);
  free(p.address);
  free(p.right.list.at);
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
         same_place(live, frozen, get_word(a + (lib->links.at[i] - first), lib->form),
                    get_word(b + (lib->links.at[i] - first), lib->form)))
    i++;
  return i;
}
