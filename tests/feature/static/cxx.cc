// A C++ program: its library is part of it, with streams and exceptions, and destructors run at the end.
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "urf.h"

extern "C" int urf_frozen(void) __attribute__((weak));

struct tells {
  std::string name;
  explicit tells(const char *n) : name(n) {}
  ~tells()
  {
    std::cout << "gone: " << name << "\n";
  }
};

static tells global("a global, whose name is too long to be in itself");
static std::map<std::string, std::vector<int>> numbers;

extern "C" int boot(void)
{
  static tells local("a local");
  for (int i = 0; i < 1000; i++)
    numbers["key " + std::to_string(i)].push_back(i);
  try {
    throw std::string("thrown");
  } catch (const std::string &s) {
    numbers[s].push_back(1);
  }
  return 0;
}

int main()
{
  if (!(urf_frozen && urf_frozen()))
    boot();
  long sum = 0;
  for (auto &n : numbers)
    sum += n.second[0];
  std::cout << numbers.size() << " " << sum << std::endl;
  try {
    numbers.at("nothing");
  } catch (const std::exception &e) {
    std::cout << "caught\n";
  }
  numbers.clear();
  return 0;
}
