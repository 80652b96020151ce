/* How the library's variables lead to the blocks of its heap: a breadth-first search along the pointers
 * that were found.  Of several ways of one length that with pointers to the start of a block is
 * taken, then that through the lower address. */

#include <stdlib.h>

#include "classify.h"
#include "roots.h"

static size_t index_of(const struct owners *o, const struct owner_block *b)
{
  return (size_t)(b - o->blocks.at);
}

static void add_edge(struct roots *r, uint64_t word, uint64_t target)
{
  target &= ADDRESS_MASK;
  if (target >= r->owners->lib->note.heap && owners_block(r->owners, target))
    *PUSH(&r->edges) = (struct edge){word, target};
}

/* Plain pointers from one offset up to another. */
static void list_plain(struct roots *r, const struct plan *plan, size_t from, size_t to)
{
  const struct library *lib = r->owners->lib;
  const struct bitmap *p = &plan->pointers;
  for (size_t i = bitmap_next(p, (from + lib->form.word - 1) / lib->form.word);
       i < p->n && i * lib->form.word < to; i = bitmap_next(p, i + 1))
    add_edge(r, lib->note.data + i * lib->form.word,
             get_word(plan->image + i * lib->form.word, lib->form));
}

/* Pointers, other sites and findings, all of which are sorted, in one list. */
static void list_edges(struct roots *r, const struct plan *plan, const struct capture *run)
{
  const struct library *lib = r->owners->lib;
  size_t done = 0;
  for (size_t i = 0, j = 0; i < plan->sites.n || j < plan->findings.n;) {
    const struct site *s = i < plan->sites.n ? &plan->sites.at[i] : NULL;
    const struct finding *f = j < plan->findings.n ? &plan->findings.at[j] : NULL;
    const bool is_site = s && (!f || s->offset <= f->offset);
    const size_t next = is_site ? s->offset : f->offset;
    list_plain(r, plan, done, next);
    done = next;
    if (is_site) {
      if (s->kind == SITE_POINTER && !s->rotated)
        add_edge(r, lib->note.data + s->offset, s->value);
      i++;
    } else {
      if (f->cause == FIND_MOVES) /* true in this run */
        add_edge(r, lib->note.data + f->offset, region_word(&run->region, f->offset) - run->bias);
      j++;
    }
  }
  list_plain(r, plan, done, plan->size);
}

/* The first edge from that address on. */
static size_t first_edge(const struct roots *r, uint64_t word)
{
  return COUNT_BELOW(&r->edges, word, word);
}

struct queue {
  size_t *at, n;
};

static bool is_better(const struct roots *r, const struct owner_block *b, size_t old, size_t new)
{
  return r->edges.at[old].target != b->start && r->edges.at[new].target == b->start;
}

/* Follows the edges [from, to), which are so many steps away. */
static void follow(struct roots *r, struct queue *q, size_t from, size_t to, uint32_t steps)
{
  for (size_t i = from; i < to; i++) {
    const struct owner_block *b = owners_block(r->owners, r->edges.at[i].target);
    struct route *route = &r->routes[index_of(r->owners, b)];
    if (!route->steps)
      q->at[q->n++] = index_of(r->owners, b);
    if (!route->steps || (route->steps == steps && is_better(r, b, route->edge, i)))
      *route = (struct route){i, steps};
  }
}

void roots_init(struct roots *r, const struct owners *o, const struct plan *plan,
                const struct capture *run)
{
  *r = (struct roots){.owners = o};
  list_edges(r, plan, run);
  r->routes = xalloc(o->blocks.n * sizeof *r->routes);
  struct queue q = {xalloc(o->blocks.n * sizeof *q.at), 0};
  follow(r, &q, 0, first_edge(r, o->lib->note.heap), 1);
  for (size_t i = 0; i < q.n; i++) {
    const struct owner_block *b = &o->blocks.at[q.at[i]];
    follow(r, &q, first_edge(r, b->start), first_edge(r, b->start + b->size),
           r->routes[q.at[i]].steps + 1);
  }
  free(q.at);
}

void roots_free(struct roots *r)
{
  free(r->edges.at);
  free(r->routes);
  *r = (struct roots){0};
}

uint32_t roots_steps(const struct roots *r, const struct owner_block *b)
{
  return r->routes[index_of(r->owners, b)].steps;
}

const struct edge *roots_edge(const struct roots *r, const struct owner_block *b)
{
  return &r->edges.at[r->routes[index_of(r->owners, b)].edge];
}
