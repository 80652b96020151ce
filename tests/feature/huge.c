// A state of more than 4 GiB, most of it never touched.
// ldflags: -Wl,--defsym=__urf_heap_size=0x150000000
// configs: gcc-lld-glibc
// timeout: 900
#include "feature.h"
static char *block, **far;
int urf_init(void)
{
  block = calloc(1, (size_t)5 << 30);
  if (!block)
    return 1;
  far = (char **)(void *)(block + ((size_t)9 << 29));
  *far = block;
  strcpy(block, "near");
  strcpy(block + ((size_t)5 << 30) - 10, "far");
  return 0;
}
void answer(FILE *out)
{
  fprintf(out, "%s %s %d\n", *far, block + ((size_t)5 << 30) - 10, *far == block);
}
