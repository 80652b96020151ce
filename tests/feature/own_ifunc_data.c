// A pointer to an IFUNC of its own in .data: IRELATIVE, which the dynamic linker computes at every
// load and nobody else relocates.
// only: glibc musl's dynamic linker has no IRELATIVE
#include "feature.h"

static int one(int x)
{
  return x + 1;
}
static int (*choose(void))(int)
{
  return one;
}
__attribute__((visibility("hidden"))) int chosen(int) __attribute__((ifunc("choose")));
int (*volatile pointer)(int) = chosen;
int (*volatile others[4])(int) = {chosen, one, chosen, 0};

int urf_init(void)
{
  others[3] = one;
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %d %d %d\n", pointer(1), others[0](2), others[2](3), others[3](4));
}
