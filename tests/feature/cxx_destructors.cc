// Destructors of C++ objects run when the frozen library is unloaded, once, in reverse order.
// A library
// that shows the unique symbols of its C++ library would never be unloaded.
// only: glibc there is no C++ compiler for musl in Debian
// ldflags: -static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL
#include <string>

#include "feature.h"

struct noisy {
  std::string name;
  explicit noisy(const char *n) : name(n) {}
  ~noisy()
  {
    printf("destroyed: %s\n", name.c_str());
  }
};

static noisy first("first, with a name that is no short string"), second("second");
static noisy array[2] = {noisy("array 0"), noisy("array 1")};

static noisy &in_function()
{
  static noisy n("in a function called by init");
  return n;
}

static noisy &late()
{
  static noisy n("in a function called after the load");
  return n;
}

int urf_init(void)
{
  in_function().name += ", and then changed";
  second.name = "second, renamed by init";
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%s %s %s\n", first.name.c_str(), second.name.c_str(), array[1].name.c_str());
}

void mutate(FILE *out)
{
  first.name = "first, renamed after the load";
  fprintf(out, "%s\n", late().name.c_str());
}
