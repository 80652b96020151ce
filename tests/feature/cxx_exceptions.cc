// Exceptions: thrown during init, then through frozen objects, and one that init has kept.
// machines: yes
// only: glibc there is no C++ compiler for musl in Debian
// ldflags: -static-libstdc++ -static-libgcc
#include <stdexcept>
#include <string>
#include <vector>

#include "feature.h"

struct failure : std::runtime_error {
  int code;
  failure(const std::string &what, int c) : std::runtime_error(what), code(c) {}
};

struct worker {
  virtual ~worker() {}
  virtual int work(int n) = 0;
};
struct thrower : worker {
  std::vector<std::string> log;
  int work(int n) override
  {
    std::string local = "local object that is destroyed on the way";
    log.push_back(local);
    if (n > 2)
      throw failure("thrown by work with an argument of " + std::to_string(n), n);
    return work(n + 1);
  }
};

static worker *object;
static int caught;
static std::string last;

static void attempt(int n)
{
  try {
    object->work(n);
  } catch (const failure &f) {
    caught += f.code;
    last = f.what();
  }
}

int urf_init(void)
{
  object = new thrower;
  for (int i = 0; i < 5; i++)
    attempt(i);
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %s\n", caught, last.c_str());
  try {
    object->work(0);
  } catch (const std::exception &e) {
    fprintf(out, "%s\n", e.what());
  }
  try {
    try {
      throw std::string("rethrown");
    } catch (...) {
      attempt(1);
      throw;
    }
  } catch (const std::string &s) {
    fprintf(out, "%s\n", s.c_str());
  }
}

void mutate(FILE *out)
{
  delete object;
  object = new thrower;
  attempt(3);
  fprintf(out, "%d\n", caught);
}
