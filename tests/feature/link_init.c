// A function named with -init is called before all constructors, and not again by the frozen library.
// ldflags: -Wl,-init,earliest -Wl,-fini,latest
#include "feature.h"

static int counter, *count = &counter;
static char order[8], *end = order;

void earliest(void);
void latest(void);

void earliest(void)
{
  ++*count;
  *end++ = 'a';
}

__attribute__((constructor)) static void later(void)
{
  ++*count;
  *end++ = 'b';
}

void latest(void)
{
  printf("fini %s\n", order);
}

int urf_init(void)
{
  *end++ = 'c';
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %s\n", *count, order);
}
