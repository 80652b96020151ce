/* What capture.c, modules.c and taken.c share: a capture that is being made. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "turf.h"

/* What the host says at the end of a capture: run-time addresses in itself, numbers of records there. */
struct sealed {
  uint64_t top, missing, align, blocks, n_blocks, allocations, n_allocations;
  long threads;
  unsigned long refused; /* advice of madvise(2) */
  unsigned strayed;
  uint64_t strayed_at;
};

/* Returns -1, with an error for an answer that is none; for NULL there is one already. */
int capture_unexpected(const struct library *lib, const char *line, struct error *e);

/* The bias, which the host tells as its words have it, of a module whose first byte is at the address lo: what is
 * loaded below the address it was linked for has one that is less than zero. */
uint64_t capture_bias(const struct library *lib, uint64_t bias, uint64_t lo);

/* taken.c: the region, held against that of the first run (or NULL); blocks, and then allocations; all with the
 * errors of the conversation.  The first asks for bytes at a run-time address, which process_read reads. */
int capture_ask_bytes(struct capture *c, uint64_t address, uint64_t size, struct error *e);
int capture_region(struct capture *c, const struct region *first, struct error *e);
int capture_blocks(struct capture *c, const struct sealed *s, struct error *e);
int capture_allocations(struct capture *c, const struct sealed *s, struct error *e);
/* The host gives its region back, unless it may be needed there; and, when these have been taken, its books. */
int capture_release(struct capture *c, const struct setting *setting, struct error *e);
int capture_forget(struct capture *c, struct error *e);
/* The bytes of those. */
uint64_t capture_books(const struct sealed *s, const struct setting *setting);

/* modules.c */
int capture_modules(struct capture *c, const struct library *lib, struct module_cache *cache,
                    struct error *e);

#endif
