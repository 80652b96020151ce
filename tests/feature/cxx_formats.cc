// Numbers and patterns with a shared C++ library, which looks things up for them once: it is not refused.
// only: glibc there is no C++ compiler for musl in Debian
#include <fstream>
#include <iostream>
#include <locale>
#include <regex>
#include <sstream>

#include "feature.h"

static char text[64];
static int words;

int urf_init(void)
{
  std::ostringstream out;
  std::locale classic("C");
  out.imbue(classic);
  out << 12345 << ' ' << 1.5 << ' ' << std::hex << 255;
  snprintf(text, sizeof text, "%s", out.str().c_str());
  std::istringstream in("7 8.5");
  int i;
  double d;
  in >> i >> d;
  std::regex word("[a-z]+\\s?");
  std::string line = "three little words";
  for (std::sregex_iterator it(line.begin(), line.end(), word), end; it != end; ++it)
    words += i;
  std::ofstream("/dev/null") << 5.5 << std::endl;
  std::clog << "" << 5 << std::endl;
  return d != 8.5;
}

void answer(FILE *out)
{
  std::ostringstream more;
  more << 67 << ' ' << 0.25 << ' ' << std::uppercase << std::hex << 171;
  fprintf(out, "%s %d %s\n", text, words, more.str().c_str());
}
