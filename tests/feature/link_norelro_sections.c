// Variables in sections that the linker script does not name, without RELRO.
// ldflags: -Wl,-z,norelro
#include "feature.h"

__attribute__((section("aaa"))) static int first = 1;
__attribute__((section(".zzz"))) static int *last = &first;

int urf_init(void)
{
  first = 7;
  last = malloc(sizeof *last);
  *last = 8;
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %d\n", first, *last);
}
