/* A synthetic image as a turf library: -DWORDS=N -DEVERY=N, see pattern.h. */
#include <stdlib.h>

#include "pattern.h"

int urf_init(void);

struct image image = {NULL, WORDS, EVERY};

int urf_init(void)
{
  image.words = aligned_alloc(PAGE, WORDS * sizeof *image.words);
  if (!image.words)
    return 1;
  for (uint64_t i = 0; i < WORDS; i++)
    image.words[i] = pattern(EVERY, WORDS, i, (uintptr_t)image.words);
  return 0;
}
