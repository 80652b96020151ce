// The loader's own names belong to the library: it defines some, and has others from elsewhere.
// dep: names
#include "feature.h"

int heap_init(int n);
int host_find(int n);
int heap_alloc(int n);
int exit_seal(void);
__attribute__((weak)) int heap_usable(int n);

int heap_alloc(int n)
{
  return n + 100;
}
int exit_seal(void)
{
  return 7;
}
int heap_usable(int n)
{
  return n + 33;
}

static int *numbers;

int urf_init(void)
{
  numbers = malloc(5 * sizeof *numbers);
  numbers[0] = heap_init(21);
  numbers[1] = host_find(1);
  numbers[2] = heap_alloc(1);
  numbers[3] = heap_usable(1);
  numbers[4] = exit_seal();
  return 0;
}

void answer(FILE *out)
{
  for (int i = 0; i < 5; i++)
    fprintf(out, "%d ", numbers[i]);
  fprintf(out, "%d %d %d\n", heap_init(1), heap_usable(2), heap_alloc(3));
}
