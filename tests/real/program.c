/* program STEPS - a real program, linked statically: init unless it is frozen, then what STEPS names, as in
 * real.c. */
#include <stdio.h>
#include <string.h>

#include "library.h"

/* Not there where it is linked without turf. */
__attribute__((weak, visibility("hidden"))) int urf_frozen(void);

int main(int argc, char **argv)
{
  if (!(urf_frozen && urf_frozen()) && urf_init())
    return 1;
  for (const char *step = argc > 1 ? argv[1] : ""; *step; step++)
    switch (*step) {
    case 'a': answer(stdout); break;
    case 'm': mutate(stdout); break;
    case 'f': finish(stdout); break;
    case 'r': fresh(stdout); break;
    case 'i':
      if (urf_init())
        return 1;
      break;
    default: return 2;
    }
  return 0;
}
