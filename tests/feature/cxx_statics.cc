// C++ objects at namespace scope and in functions: containers, strings, virtual functions.
// only: glibc there is no C++ compiler for musl in Debian
// ldflags: -static-libstdc++ -static-libgcc
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "feature.h"

namespace {
struct shape {
  virtual ~shape() {}
  virtual double area() const = 0;
};
struct square : shape {
  double side;
  explicit square(double s) : side(s) {}
  double area() const override
  {
    return side * side;
  }
};
struct circle : shape {
  double r;
  explicit circle(double r_) : r(r_) {}
  double area() const override
  {
    return 3 * r * r;
  }
};

std::map<std::string, int> words = {
    {"one", 1}, {"two", 2}, {"a word longer than a small string", 3}};
std::string text = "short", long_text(100, 'x');
std::vector<std::unique_ptr<shape>> shapes;
std::unordered_map<int, std::string> numbers;
std::set<const shape *> none;
double (shape::*method)() const = &shape::area;
int constructed;
struct counted {
  counted()
  {
    constructed++;
  }
} counted_object;

std::vector<std::string> &in_function()
{
  static std::vector<std::string> v{"made on first use", "second element, also not a short one"};
  return v;
}
} // namespace

int urf_init(void)
{
  for (int i = 0; i < 200; i++) {
    words["word " + std::to_string(i)] = i;
    numbers[i * 37] = "number " + std::to_string(i);
  }
  words.erase("two");
  shapes.emplace_back(new square(2));
  shapes.emplace_back(new circle(3));
  text += " and appended until it is long";
  in_function().push_back("pushed by init");
  return 0;
}

void answer(FILE *out)
{
  for (auto &w : words)
    if (w.second % 20 < 4)
      fprintf(out, "%s=%d ", w.first.c_str(), w.second);
  for (int i = 0; i < 200; i += 33)
    fprintf(out, "%s ", numbers.at(i * 37).c_str());
  double area = 0;
  for (auto &s : shapes)
    area += s->area() + (s.get()->*method)();
  fprintf(out, "%zu %zu %g %s %zu %d\n", words.size(), numbers.size(), area, text.c_str(),
          long_text.size(), constructed);
  for (auto &s : in_function())
    fprintf(out, "%s\n", s.c_str());
}

void mutate(FILE *out)
{
  for (int i = 0; i < 100; i++) {
    words.erase("word " + std::to_string(i * 2));
    numbers[i] = std::string(50, 'n');
  }
  numbers.erase(37);
  numbers[37] = "back";
  numbers.rehash(5000);
  shapes.clear();
  shapes.emplace_back(new square(7));
  text.clear();
  text.shrink_to_fit();
  long_text += long_text;
  in_function().assign(20, "assigned");
  fprintf(out, "%zu\n", words.size());
}
