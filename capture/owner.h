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
  uint64_t nth; /* from 1, by address: which of those made by functions of the same name or, in
                   no function, by the same caller; 0 when not known */
};

struct owners {
  const struct library *lib;
  LIST(struct owner_block) blocks; /* by address */
};

/* c may be NULL: then there are no blocks. */
void owners_init(struct owners *o, const struct library *lib, const struct capture *c);
void owners_free(struct owners *o);
const struct owner_block *owners_block(const struct owners *o, uint64_t address);

/* ".data", ".bss" or ".urf.heap", and where it begins; "" outside of the region. */
const char *part_of(const struct library *lib, uint64_t address, uint64_t *start);

#endif
