/* What init changes in the memory of the other modules: their variables, and those of the thread that
 * runs init.  For host.c. */
#ifndef TURF_MEMORY_H
#define TURF_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* When the library and what it needs are there, before its constructors run; image: its own. */
void memory_begin(const void *image);
/* Calls say for each stretch of bytes that has other contents since, and that no harmless probe
 * explains, with a line
 *   data OFFSET SIZE TLS WAS NOW LABEL PATH
 * numbers in hex, OFFSET from the module's load bias, or in its thread-local variables if TLS is 1;
 * WAS and NOW the first bytes of it, at most 8, as one number; LABEL the probe that changes the same, or "-". */
void memory_changes(void (*say)(char sign, const char *line));

/* The number that so many bytes are, of which it takes 8. */
static inline uint64_t first_bytes(const char *from, size_t n)
{
  uint64_t value = 0;
  const size_t taken = n < sizeof value ? n : sizeof value;
  const int from_the_end = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
  memcpy((char *)&value + (from_the_end ? sizeof value - taken : 0), from, taken);
  return value;
}

/* Runs f in a copy of the process, and waits for it. Memory shared with it tells what it did.  Nothing is
 * done where nobody wants to know: there the process itself does the same, so that all have their
 * mappings at places that belong together, see trace.c. */
void in_copy(void (*f)(void));
void copies_are_made(int yes);

/* In a copy: the symbol, of any module but the library itself; NULL when there is none. */
void *find_symbol(const char *name);
/* Whether so many bytes from there on are variables of one of those modules. */
int is_variable(const void *p, size_t size);
/* Bytes that the loader of a frozen library sees to, or nobody has to. */
void is_harmless(const void *p, size_t size);

/* probes.c: calls that change state of the C library (or C++ library), each run in a copy of the process.  They
 * tell what the bytes are for, without names: most variables of libc have none. */
struct probe {
  const char *name;
  void (*call)(void);
  /* Of a harmless one: PROBE_ANY, the bytes may have any value; PROBE_SAME, those that the probe gives
   * them; PROBE_BOOKS, any, and so may those between them where malloc has no settings (mallopt).
   * PROBE_TELLS: it is only to name what is refused. */
  enum { PROBE_END, PROBE_ANY, PROBE_SAME, PROBE_BOOKS, PROBE_TELLS } kind;
};
/* The last one is PROBE_END; those that tell come last. */
extern const struct probe probes[];
/* In the process itself, before anything is compared. */
void make_streams(void);

#endif
