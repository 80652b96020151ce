// An indirect function of the library's own.
// machines: yes
// only: glibc musl has no indirect functions
#include "feature.h"

static int one(void)
{
  return 1;
}
static int (*resolve(void))(void)
{
  return one;
}
int chosen(void) __attribute__((ifunc("resolve")));
static int chosen_static(void) __attribute__((ifunc("resolve")));
static int (*stored)(void), (*in_data)(void) = chosen_static;

int urf_init(void)
{
  stored = chosen;
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %d %d\n", stored(), chosen(), in_data());
}
