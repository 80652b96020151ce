// Two versions of one symbol: each pointer is bound to its own.
// only: glibc musl has no versions
// not: riscv64 glibc had but one version there
#include "feature.h"

#if defined __aarch64__
#define FIRST "GLIBC_2.17"
#elif defined __arm__
#define FIRST "GLIBC_2.4"
#elif defined __x86_64__
#define FIRST "GLIBC_2.2.5"
#else
#define FIRST "GLIBC_2.2"
#endif

extern FILE *old_fmemopen(void *, size_t, const char *);
__asm__(".symver old_fmemopen,fmemopen@" FIRST);
static FILE *(*volatile stored[2])(void *, size_t, const char *);

int urf_init(void)
{
  stored[0] = old_fmemopen;
  stored[1] = fmemopen;
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %d %d\n", stored[0] == old_fmemopen, stored[1] == fmemopen,
          stored[0] != stored[1]);
}
