// A function in several versions, chosen by processor with libgcc's help before any constructor runs.
// not: emulated the clones are for CPUs of x86
// only: glibc musl has no indirect functions
#include "feature.h"

__attribute__((target_clones("avx2", "default"))) int sum(const int *v, int n)
{
  int s = 0;
  for (int i = 0; i < n; i++)
    s += v[i] * i;
  return s;
}

static int (*stored)(const int *, int), result, values[100];

int urf_init(void)
{
  for (int i = 0; i < 100; i++)
    values[i] = i * 3;
  stored = sum;
  result = sum(values, 100);
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %d %d\n", result, sum(values, 100), stored(values, 50));
}
