// Destructors of thread_local objects where the C++ library is linked in and registers them by itself.
// only: glibc there is no C++ compiler for musl in Debian
// ldflags: -static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL
#include "feature.h"

struct object {
  int value;
  explicit object(int n) : value(n) {}
  ~object()
  {
    printf("%d ends\n", value);
  }
};
static thread_local object mine(5);

int urf_init(void)
{
  mine.value++;
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d\n", mine.value);
}
