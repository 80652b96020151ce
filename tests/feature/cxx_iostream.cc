// <iostream> in a program that has no streams of its own: the static object that readies them is
// told of at load, so that they work, and flush at the end.
// only: glibc there is no C++ compiler for musl in Debian
// ldflags: -Wl,--exclude-libs,ALL
#include <iostream>

#include "feature.h"

static int number;

int urf_init(void)
{
  number = 3;
  return 0;
}

void answer(FILE *out)
{
  fflush(out);
  std::cout << "number " << number << std::endl;
  std::cerr << std::flush;
}

void mutate(FILE *out)
{
  number++;
  fflush(out);
  std::cout << std::hex << number + 100 << std::dec << std::endl;
}
