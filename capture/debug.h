/* What debug information says of addresses of the library: DWARF 5, as libdw reads it. */
#ifndef TURF_DEBUG_H
#define TURF_DEBUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct debug;

/* A type of the library's; nobody but debug.c looks inside. */
struct debug_type {
  uint64_t die[4];
  bool known;
};

/* Of the file or, found by build-id or debug link, of a file of its own.  NULL when there is none; it is
 * only ever a help. */
struct debug *debug_open(const char *path);
void debug_free(struct debug *d);

/* What C calls the bytes at an address (link-time): "cache.buckets[17].next", "f::counter", "u.(a|b)" for
 * members that share it; NULL when no variable has them.  Texts are owned by the caller.
 * pointer: only members that are pointers are asked for; *to is the type that it points to. */
char *debug_variable(struct debug *d, uint64_t address, bool pointer, struct debug_type *to);
/* The same for a place so many bytes behind where the pointer that text stands for leads to; from there on,
 * size bytes were allocated.  type: what it points to, which *to may be.  NULL when that does not
 * tell: it is void, or smaller than what was allocated and no array either. */
char *debug_follow(struct debug *d, const char *text, const struct debug_type *type,
                   uint64_t offset, uint64_t size, bool pointer, struct debug_type *to);

/* Calls f for the function at an address, innermost first where functions have been inlined; file is NULL
 * when it is not known. */
void debug_lines(struct debug *d, uint64_t address,
                 void (*f)(void *context, const char *function, const char *file, int line),
                 void *context);

#endif
