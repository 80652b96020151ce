// Every form of operator new and delete.
// machines: yes
// only: glibc there is no C++ compiler for musl in Debian
// not: mold an object comes before the static C++ library there, so a failing new finds nothing to throw with
// cflags: -std=c++17 -fno-builtin -fsized-deallocation
// ldflags: -static-libstdc++ -static-libgcc
#include <new>

#include "feature.h"

namespace {
struct alignas(128) wide {
  char c[128];
};
struct plain {
  int i = 3;
  ~plain()
  {
    i = 0;
  }
};

plain *one, *many, *one_nothrow, *many_nothrow;
wide *wide_one, *wide_many, *wide_nothrow;
void *raw[6];
int failures;

void aligned(void *p, size_t align)
{
  CHECK(p && (uintptr_t)p % align == 0);
}

void all()
{
  one = new plain;
  many = new plain[10];
  one_nothrow = new (std::nothrow) plain;
  many_nothrow = new (std::nothrow) plain[5];
  wide_one = new wide();
  wide_many = new wide[3]();
  wide_nothrow = new (std::nothrow) wide();
  raw[0] = ::operator new(10);
  raw[1] = ::operator new(0);
  raw[2] = ::operator new[](0);
  raw[3] = ::operator new(100, std::align_val_t(4096));
  raw[4] = ::operator new[](100, std::align_val_t(512), std::nothrow);
  raw[5] = ::operator new(1, std::nothrow);
  for (void *p : raw)
    CHECK(p);
  CHECK(raw[1] != raw[2]);
  aligned(wide_one, 128);
  aligned(wide_many, 128);
  aligned(wide_nothrow, 128);
  aligned(raw[3], 4096);
  aligned(raw[4], 512);
}

void none()
{
  delete one;
  delete[] many;
  delete one_nothrow;
  delete[] many_nothrow;
  delete wide_one;
  delete[] wide_many;
  delete wide_nothrow;
  ::operator delete(raw[0], (size_t)10);
  ::operator delete(raw[1]);
  ::operator delete[](raw[2]);
  ::operator delete(raw[3], 100, std::align_val_t(4096));
  ::operator delete[](raw[4], std::align_val_t(512), std::nothrow);
  ::operator delete(raw[5], std::nothrow);
  ::operator delete(nullptr);
}

void fail()
{
  volatile size_t huge =
      PTRDIFF_MAX - 100 + (sizeof(size_t) == 4 ? 200u : 0); /* half of all may be had */
  try {
    raw[0] = ::operator new(huge);
  } catch (const std::bad_alloc &) {
    failures++;
  }
  try {
    raw[0] = ::operator new[](huge, std::align_val_t(64));
  } catch (const std::bad_alloc &) {
    failures++;
  }
  failures += ::operator new(huge, std::nothrow) == nullptr;
}
} // namespace

int urf_init(void)
{
  all();
  none();
  fail();
  all();
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %d %d %d\n", one->i, many[9].i, many_nothrow[4].i, failures);
  CHECK(is_zero(wide_many, sizeof *wide_many));
  tell_wrong(out);
}

void mutate(FILE *out)
{
  none();
  all();
  fail();
  fprintf(out, "%d\n", failures);
}
