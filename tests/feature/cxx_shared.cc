// C++ against the shared C++ library: what is instantiated here lies in the image.
// only: glibc there is no C++ compiler for musl in Debian
#include <map>
#include <stdexcept>
#include <vector>

#include "feature.h"

struct base {
  virtual ~base() {}
  virtual int value() const
  {
    return 1;
  }
};
struct derived : base {
  std::vector<int> v{1, 2, 3};
  int value() const override
  {
    return (int)v.size();
  }
};

static std::map<int, std::vector<int>> table;
static base *object;

int urf_init(void)
{
  for (int i = 0; i < 100; i++)
    table[i * 7 % 101].assign((size_t)i, i);
  object = new derived;
  return 0;
}

void answer(FILE *out)
{
  long sum = 0;
  for (auto &t : table)
    for (int i : t.second)
      sum += i * t.first;
  auto *d = dynamic_cast<derived *>(object);
  fprintf(out, "%ld %d %d\n", sum, object->value(), d ? d->v[1] : -1);
  try {
    (void)table.at(1000);
  } catch (const std::out_of_range &e) {
    fprintf(out, "caught\n");
  }
}

void mutate(FILE *out)
{
  delete object;
  object = new base;
  for (int i = 0; i < 50; i++)
    table.erase(i * 2);
  table[500].resize(3000, 1);
  fprintf(out, "%zu\n", table.size());
}
