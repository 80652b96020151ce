/* The words of a synthetic image, the same in the library that turf freezes (state.c), in the one that
 * the dynamic linker relocates (plain.c), and in the program that looks whether they are right (load.c).
 * Every Nth word is a pointer to another one; with 0, all words of one page in 16 are. */
#ifndef PATTERN_H
#define PATTERN_H

#include <stddef.h>
#include <stdint.h>

enum { PAGE = 4096, PAGE_WORDS = PAGE / sizeof(uintptr_t), CLUSTER = 16 };

/* Exported by both libraries under the name image. */
struct image {
  uintptr_t *words; /* n of them, on a page boundary */
  uint64_t n, every;
};

static inline int is_pointer(uint64_t every, uint64_t i)
{
  return every ? i % every == 0 : i / PAGE_WORDS % CLUSTER == 0;
}

static inline uint64_t mixed(uint64_t i)
{
  return i * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio: multiples of it are spread evenly */
}

/* The word at i of n, of an image whose words are, or will be, at start. */
static inline uintptr_t pattern(uint64_t every, uint64_t n, uint64_t i, uintptr_t start)
{
  if (is_pointer(every, i))
    return start + ((mixed(i) >> 32) * n >> 32) * sizeof(uintptr_t);
  return mixed(i) | 1;
}

#endif
