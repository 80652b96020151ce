/* What rehearse.c and freeze.c share: everything that a freeze or a verification holds. */
#ifndef TURF_WORK_H
#define TURF_WORK_H

#include "turf.h"

/* Places of words that are named, where there may be many. */
enum { PLACES = 4 };

/* Of the proofs' processes: apart from those of all runs, see place_of_library in trace.c. */
enum { PROOF_SEED = 5050 };

struct work {
  const struct options *o;
  struct library lib; /* the turf library */
  struct library frozen;
  struct policy policy;
  struct capture *runs;
  size_t n;
  struct capture proof;
  struct capture base, fallback; /* ahead: of look_around, of the way back */
  struct options suited;         /* what o becomes, with what follows from the library */
  struct options back;           /* with which that runs */
  struct module_cache *cache;
  struct plan plan;
  struct table table;
  uint64_t align; /* of the library's addresses in the runs */
  /* bytes of memory that a process has in which init has run, of the region, and of the first run's books */
  uint64_t used, size, books;
  struct layout *layout; /* that all processes get which run init, or NULL */
  struct left left;
  unsigned lessons; /* that have changed it */
  char *plain;      /* why there is none */
  bool no_layout;   /* nor shall there be one */
  bool unlike;      /* what init allocates and protects is not the same in every run */
  /* places of some words that depend on addresses, or come by themselves; how many of the former */
  struct bytes keyed, own;
  size_t n_keyed;
  bool refused_json; /* the report has been printed as JSON */
  double started, told;
  double init; /* seconds that the first run took */
};

/* rehearse.c: the runs, repeated at addresses that explain more */

/* Captures with displacements of their own and what differs between them, in w->runs and w->plan. */
int rehearse(struct work *w, struct error *e);
/* One more, of the file at path, which is lib's; with respect to the first n_before of the runs. */
int take(struct work *w, struct capture *c, size_t n_before, const char *path,
         const struct library *lib, unsigned seed, bool init, struct error *e);
/* Runs init once, and gives its heap a layout for all further runs at w->align, unless w->plain says why it
 * shall not have one. */
int learn(struct work *w, const char *path, struct error *e);
/* Starts what a take with the same arguments will wait for, if there is nothing in *c yet. */
void take_ahead(struct work *w, struct capture *c, size_t n_before, const char *path,
                const struct library *lib, unsigned seed, bool init);
/* How many processes may run init at a time, as far as processors and memory go, in which the image is held
 * so many times already. */
size_t at_once(const struct work *w, unsigned held);
/* Frees the runs and the plan. */
void runs_free(struct work *w);
/* Frees the bytes of the runs' regions, when no more than the plan is wanted of them. */
void runs_forget(struct work *w);

/* causes.c */

/* Says of the findings what they vary with, and lets those pass that are plain; no more than that is
 * wrong when a process does not come to its end. */
int find_causes(struct work *w, struct error *e);
/* Whether it varies with addresses alone, or with something else that matters. */
bool is_keyed(const struct finding *f);
bool comes_by_itself(const struct finding *f);
/* Whether bytes have changed as the time does in so many nanoseconds: as a number in a usual unit, or in
 * one digit.  As they were counts. */
bool goes_with_clock(const unsigned char *from, const unsigned char *to, size_t size,
                     uint64_t passed, struct form form);
/* Whether the n bytes of the region (of that size) at the offset are that number, or part of its digits. */
bool is_number_at(const unsigned char *region, size_t size, size_t offset, size_t n,
                  uint64_t number, struct form form);

/* unwritten.c */

/* With --memcheck: takes those of the findings out that are in memory which init has never written, and
 * has it cleared. */
int find_unwritten(struct work *w, struct error *e);

/* around.c */

/* Runs init in another environment and directory than the options say, and prints a warning of what
 * that would change. */
int look_around(struct work *w, struct error *e);
/* Starts the first of the processes for that. */
void look_ahead(struct work *w);

/* alike.c */

/* Holds against each other what init has left in two processes, of which both have the books of their blocks;
 * blocks may lie elsewhere.  Calls found with the closure and the offset of each word of a's region that is not
 * the same, in no order; mask: sorted, bytes of a's region that do not matter. */
void alike(const struct capture *a, const struct capture *b, const struct mask *mask,
           void (*found)(void *closure, size_t offset), void *closure);

/* freeze.c */

/* Of a clock that only goes on. */
double seconds(void);

/* Says what is going on, where somebody waits and it takes a while; i of n, or n 0. */
void progress(struct work *w, const char *what, size_t i, size_t n);

#endif
