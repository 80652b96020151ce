/* What a static program has to do besides when it is as it was linked; with fallback.c a member of its own. */

#include "program.h"

void fell_back(const struct image *image)
{
  const volatile struct urf_note *note = &__urf_note;
  program_state.fell_back = 1;
  program_heap((uintptr_t)note->heap + image->bias, (uintptr_t)(note->heap_end - note->heap));
}
