/* How the library's variables lead to the blocks of its heap. */
#ifndef TURF_ROOTS_H
#define TURF_ROOTS_H

#include "owner.h"

/* A pointer into the image, and the block that it leads to. */
struct edge {
  uint64_t word, target; /* both addresses, without tags */
};

struct roots {
  const struct owners *owners;
  LIST(struct edge) edges; /* by word; those that lead to a block in use */
  struct route {
    size_t edge;    /* the last one on the shortest way to the block */
    uint32_t steps; /* 0: no way leads there */
  } * routes;       /* of each of the owners' blocks */
};

/* One pass over the pointers of the plan, in time that is linear in their number but for the search for
 * the block that each leads to.  run: the first of those the plan was made from. */
void roots_init(struct roots *r, const struct owners *o, const struct plan *plan,
                const struct capture *run);
void roots_free(struct roots *r);
/* How many pointers have to be followed from a variable to the block; 0: it cannot be reached. */
uint32_t roots_steps(const struct roots *r, const struct owner_block *b);
/* The last pointer on the way to a block that can be reached; it lies in a variable, or in a block that
 * takes one step less. */
const struct edge *roots_edge(const struct roots *r, const struct owner_block *b);

#endif
