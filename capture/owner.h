/* Who has a byte of the region: what policy.c and report.c share. */
#ifndef TURF_OWNER_H
#define TURF_OWNER_H

#include "turf.h"

/* A block of the heap that is used, with the last allocation that was made in it. */
struct owner_block {
  uint64_t start, size;
  size_t allocation;             /* index into capture.allocations, SIZE_MAX when it has none */
  uint64_t caller;               /* 0 when it is not known */
  const struct symbol *function; /* with the caller in it, or NULL */
  uint64_t
      nth; /* from 1, in the order in which they were allocated: which of those made by functions of
                   the same name or, in no function, by the same caller; 0 when not known */
};

struct owners {
  const struct library *lib;
  LIST(struct owner_block) blocks; /* by address */
  struct owner_block **by_caller; /* as many; those of one name for a policy side by side, by nth */
  const struct symbol **by_name;  /* the region's symbols; NULL until one is asked for */
  size_t n_names;
};

/* c may be NULL: then there are no blocks. */
void owners_init(struct owners *o, const struct library *lib, const struct capture *c);
void owners_free(struct owners *o);
const struct owner_block *owners_block(const struct owners *o, uint64_t address);

/* The *n blocks, by nth, that functions of that name allocated or, with NULL, that caller outside of
 * functions. */
struct owner_block *const *owners_made(const struct owners *o, const char *function,
                                       uint64_t caller, size_t *n);
/* The *n symbols of the region that have the name, by address. */
const struct symbol *const *owners_named(struct owners *o, const char *name, size_t *n);

/* ".data", ".bss" or ".urf.heap", and where it begins; "" outside of the region. */
const char *part_of(const struct library *lib, uint64_t address, uint64_t *start);

/* What bytes hang on: a block, else a symbol, else a part of the region, which start at start. */
struct subject {
  const struct owner_block *block;
  const struct symbol *symbol;
  const char *part;
  uint64_t start, size; /* size 0 when it is not known */
};

struct subject subject_of(const struct owners *o, uint64_t address);
/* Names of places, owned by the caller.  Of the subject's block, the place that allocated it: "f+0x20". */
char *caller_name(const struct owner_block *b);
/* What report_place and report_what (report.c) say; address, lo and hi lie in the subject. */
char *place_of(const struct subject *s, const struct capture *c, uint64_t address);
char *what_of(struct owners *o, const struct subject *s, uint64_t lo, uint64_t hi);

#endif
