// thread_local objects with destructors: init's are those of the thread that loads the library, other
// threads have their own.
// only: glibc there is no C++ compiler for musl in Debian
// freeze: --fallback fail
// A thread that makes thread_local objects needs the dynamic linker, which waits while a library is loaded.
// ldflags: -static-libstdc++ -static-libgcc -Wl,-z,nodelete
#include <pthread.h>

#include <string>

#include "feature.h"

static FILE *at_end;

namespace {
struct object {
  std::string name{"fresh"};
  int used = 0;
  ~object()
  {
    if (at_end)
      fprintf(at_end, "%s %d ends\n", name.c_str(), used);
  }
};
thread_local object mine;
thread_local std::string text = "text of the thread";

void *other(void *)
{
  CHECK(mine.name == "fresh" && text == "text of the thread");
  mine.used = 7;
  return nullptr;
}
} // namespace

int urf_init(void)
{
  pthread_t thread;
  mine.name = "made by init, and too long to be kept inside";
  text += " that ran init";
  return pthread_create(&thread, nullptr, other, nullptr) || pthread_join(thread, nullptr);
}

void answer(FILE *out)
{
  mine.used++;
  fprintf(out, "%s %d %s\n", mine.name.c_str(), mine.used, text.c_str());
  tell_wrong(out);
}

void mutate(FILE *out)
{
  pthread_t thread;
  at_end = out;
  if (!pthread_create(&thread, nullptr, other, nullptr))
    pthread_join(thread, nullptr);
  mine.name += "!";
  at_end = nullptr;
}
