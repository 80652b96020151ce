/* What unit tests have in common. */
#ifndef UNIT_H
#define UNIT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the test with the line and what is not so. */
#define MUST(x) ((x) ? (void)0 : wrong(__FILE__, __LINE__, #x))

static inline void wrong(const char *file, int line, const char *what)
{
  printf("%s:%d: %s\n", file, line, what);
  exit(1);
}

/* Numbers below a bound, the same ones from the same seed on. */
static uint64_t seed __attribute__((unused)) = 7;

static inline size_t draw(size_t bound)
{
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (seed >> 33) % bound;
}

#endif
