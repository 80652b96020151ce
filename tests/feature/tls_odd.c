// Thread-local variables of odd sizes, side by side, and addresses of them at odd addresses.
#include "feature.h"
__thread int first = 5;
static __thread char odd[3] = "ab";
static __thread struct __attribute__((packed)) {
  char c;
  int *p;
  uint32_t n;
} packed;
static struct __attribute__((packed)) {
  char c;
  int *first;
  char *odd;
} kept;
static int number = 3;
int urf_init(void)
{
  first = 6, odd[1] = 'x', packed.c = 'p', packed.p = &number, packed.n = 0x01020304;
  kept.c = 'k', kept.first = &first, kept.odd = odd + 1;
  return 0;
}
void answer(FILE *out)
{
  fprintf(out, "%d %s %c %d %x %c %d %c\n", first, odd, packed.c, packed.p == &number,
          (unsigned)packed.n, kept.c, kept.first == &first, *kept.odd);
}
