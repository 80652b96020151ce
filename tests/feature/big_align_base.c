// not: narrow the address has more than 32 bits
// ldflags-bfd: -Wl,-Ttext-segment=0x123400000000
// ldflags-lld: -Wl,--image-base=0x123400000000
// not: mold it gives libraries no base
// base: 0x123400000000
// A variable aligned to more than a page, in a library with a preferred base: glibc asks for room there.
#include "feature.h"

static char page[4096] __attribute__((aligned(1 << 21)));
static char *in_page;

int urf_init(void)
{
  in_page = strcpy(page + 100, "aligned");
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%s %d\n", in_page ? in_page : "none", (int)((uintptr_t)page & 0x1fffff));
}
