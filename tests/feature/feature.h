/* What the libraries under tests/feature have in common. */
#ifndef FEATURE_H
#define FEATURE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

int urf_init(void);
/* No addresses in it: the same text in every process. */
void answer(FILE *out);
/* Optional: use what init left behind. */
void mutate(FILE *out);

#ifdef __cplusplus
}
#endif

/* What cannot be true in a correct library is remembered and told by the next answer. */
static int wrong_lines[16], n_wrong;

static inline void check(int good, int line)
{
  if (!good && n_wrong < 16)
    wrong_lines[n_wrong++] = line;
}
#define CHECK(x) check(!!(x), __LINE__)

static inline void tell_wrong(FILE *out)
{
  for (int i = 0; i < n_wrong; i++)
    fprintf(out, "wrong: line %d\n", wrong_lines[i]);
}

static inline int is_zero(const void *p, size_t n)
{
  const unsigned char *c = (const unsigned char *)p;
  while (n && !*c)
    c++, n--;
  return !n;
}

/* Numbers that look random and are always the same. */
static inline uint32_t draw(uint32_t *seed)
{
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

/* The compiler is not to know what p points to. */
#define OPAQUE(p) __asm__ volatile("" : "+r"(p))

#endif
