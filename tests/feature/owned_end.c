// What is ours ends with the frozen heap, not with the reserve that init had: memory that the
// process maps there later is unmapped for good.
#include <sys/mman.h>
#include "feature.h"

static char *block;

int urf_init(void)
{
  block = malloc(100);
  return !block;
}

void answer(FILE *out)
{
  fprintf(out, "%d\n", block != 0);
  tell_wrong(out);
}

void mutate(FILE *out)
{
  unsigned char resident;
  char *behind = (char *)(((uintptr_t)block | 4095) + 1 + (1 << 20));
  char *p = mmap(behind, 4096, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  fprintf(out, "mapped\n");
  if (p != behind) /* something is there, as in the library that is not frozen */
    return;
  CHECK(!munmap(p, 4096));
  CHECK(mincore(p, 4096, &resident) == -1 && errno == ENOMEM);
}
