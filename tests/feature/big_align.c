// Data and blocks aligned beyond a page, to values that matter to the library.
// not: i386 addresses of that alignment are few, and chosen with few bits
// not: mold-armhf mold 1.10 takes file offsets for that alignment that the dynamic linker refuses, without turf as well
#include "feature.h"

static struct {
  char bytes[100];
} __attribute__((aligned(16384))) in_bss, in_data = {"aligned"};
static char *block, *huge;

int urf_init(void)
{
  block = aligned_alloc(65536, 65536);
  strcpy(block, "64K");
  if (posix_memalign((void **)&huge, 2 << 20, 100))
    return 1;
  strcpy(huge, "2M");
  strcpy(in_bss.bytes, "bss");
  CHECK((uintptr_t)block % 65536 == 0);
  CHECK((uintptr_t)huge % (2 << 20) == 0);
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%s %s %s %s\n", block, huge, in_bss.bytes, in_data.bytes);
  fprintf(out, "%d %d %d %d\n", (int)((uintptr_t)block % 65536), (int)((uintptr_t)huge % (2 << 20)),
          (int)((uintptr_t)&in_bss % 4096), (int)((uintptr_t)&in_data % 4096));
  tell_wrong(out);
}
