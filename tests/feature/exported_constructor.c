// A pointer to a constructor that others could preempt: its word in .init_array is gone when frozen.
#include "feature.h"

static void (*volatile pointer)(void);
static int calls;

__attribute__((constructor)) void set_up(void);
void set_up(void)
{
  calls++;
}

int urf_init(void)
{
  pointer = set_up;
  return 0;
}

void answer(FILE *out)
{
  pointer();
  fprintf(out, "%d %d\n", pointer == set_up, calls > 1);
}
