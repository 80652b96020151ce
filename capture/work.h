/* What rehearse.c and freeze.c share: everything that a freeze or a verification holds. */
#ifndef TURF_WORK_H
#define TURF_WORK_H

#include "turf.h"

/* Places of words that are named, where there may be many. */
enum { PLACES = 4 };

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
  uint64_t align; /* of the library's addresses in the runs */
  bool unlike;    /* what init allocates and protects is not the same in every run */
  /* places of some words that depend on addresses, or come by themselves; how many of the former */
  struct bytes keyed, own;
  size_t n_keyed;
  double started, told;
};

/* rehearse.c: the runs, repeated at addresses that explain more */

/* Captures with displacements of their own and what differs between them, in w->runs and w->plan. */
int rehearse(struct work *w, struct error *e);
/* One more, of the file at path, which is lib's; with respect to the first n_before of the runs. */
int take(struct work *w, struct capture *c, size_t n_before, const char *path,
         const struct library *lib, unsigned seed, bool init, struct error *e);
/* Frees the runs and the plan. */
void runs_free(struct work *w);

/* freeze.c */

/* Says what is going on, where somebody waits and it takes a while; i of n, or n 0. */
void progress(struct work *w, const char *what, size_t i, size_t n);

#endif
