/* Table of contents of the loader for static programs: what of ../loader.h they have, and what is theirs.
 *
 * There is no dynamic linker, no library and no other allocator: the in-image heap is the program's, before
 * the freeze and after it.  The C library's own variables are not in the region (see urf.ld), since it sets
 * them before the first constructor. */
#ifndef URF_PROGRAM_H
#define URF_PROGRAM_H

#include "loader.h"

/* All zero in the frozen file. */
struct program {
  /* set by turf before the program begins; NULL when it has not started it */
  struct urf_host *host;
  int ready;            /* the heap can be used */
  int captures;         /* the host is told of what init allocates */
  int fell_back;        /* the frozen state could not be used, init has run instead */
  uint64_t nanoseconds; /* that relocation took */
};

extern HIDDEN struct program program_state __asm__("__urf_state");

/* heap.c: has the program's heap begin in the image, which has so many bytes for it */
HIDDEN void program_heap(uintptr_t start, uintptr_t size);
/* NULL and errno when there is no memory; align is a power of two, caller who is told to have asked. */
HIDDEN void *program_allocate(size_t align, size_t size, void *caller);
/* Ends the capture: tells the host of all blocks, and gives back what was not used. */
HIDDEN void program_heap_seal(struct urf_host *host);

/* tls.c, which a program has when it asks for it: keeps the thread-local variables that init has set (NULL); or sets
 * them in the frozen program, and binds the words that point to them. */
HIDDEN void urf_tls(const struct image *image);

/* ../relocate.c once more, which a program has when it asks for it: relocate by way of copies in huge pages. */
HIDDEN unsigned urf_copy(const struct image *image);

#endif
