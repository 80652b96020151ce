#!/bin/sh
# only: glibc there is no C++ compiler for musl in Debian
# In a program with operators new and delete of its own, what the library makes after the load comes from
# there and goes back there, and frozen objects never go there; in one without any, malloc and free serve.
# timeout: 400
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"

cat >library.cc <<'END'
#include <new>
struct alignas(64) wide { char c[64]; };
struct objects { int *one, *many, *quiet, *sized; wide *wide_one, *wide_many; };
static void make(objects &o)
{
  o = {new int(1), new int[7](), new (std::nothrow) int(3), static_cast<int *>(::operator new(4)), new wide(),
       new wide[2]()};
}
static void drop(objects &o)
{
  delete o.one;
  delete[] o.many;
  ::operator delete(o.quiet, std::nothrow);
  ::operator delete(o.sized, 4);
  delete o.wide_one;
  delete[] o.wide_many;
}
static objects frozen;
extern "C" int urf_init(void) { return make(frozen), 0; }
extern "C" int use(void)
{
  objects own[20];
  for (objects &o : own)
    make(o);
  drop(frozen);
  make(frozen);
  for (objects &o : own)
    drop(o);
  drop(frozen);
  return own[3].many != own[4].many;
}
END
cat >program.cc <<'END'
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <new>
static long got, put;
#ifdef OWN
struct head { size_t mark; char *start; };
static void *take(size_t align, size_t size)
{
  if (align < 16)
    align = 16;
  char *start = static_cast<char *>(malloc(size + 2 * align + sizeof(head)));
  char *p = start + sizeof(head);
  p += align - reinterpret_cast<size_t>(p) % align;
  reinterpret_cast<head *>(p)[-1] = {0x1badb10c, start};
  got++;
  return p;
}
static void drop(void *p) noexcept
{
  head *h = static_cast<head *>(p) - 1;
  if (!p)
    return;
  if (h->mark != 0x1badb10c)
    puts("a foreign block"), fflush(stdout), _Exit(1);
  h->mark = 0;
  put++;
  free(h->start);
}
void *operator new(size_t n) { return take(1, n); }
void *operator new[](size_t n) { return take(1, n); }
void *operator new(size_t n, const std::nothrow_t &) noexcept { return take(1, n); }
void *operator new(size_t n, std::align_val_t a) { return take(static_cast<size_t>(a), n); }
void *operator new[](size_t n, std::align_val_t a) { return take(static_cast<size_t>(a), n); }
void operator delete(void *p) noexcept { drop(p); }
void operator delete[](void *p) noexcept { drop(p); }
void operator delete(void *p, const std::nothrow_t &) noexcept { drop(p); }
void operator delete(void *p, size_t) noexcept { drop(p); }
void operator delete[](void *p, size_t) noexcept { drop(p); }
void operator delete(void *p, std::align_val_t) noexcept { drop(p); }
void operator delete[](void *p, std::align_val_t) noexcept { drop(p); }
void operator delete(void *p, size_t, std::align_val_t) noexcept { drop(p); }
void operator delete[](void *p, size_t, std::align_val_t) noexcept { drop(p); }
#endif
int main(int argc, char **argv)
{
  void *lib = dlopen(argv[1], RTLD_NOW);
  if (!lib)
    return puts(dlerror()), 1;
  int (*init)() = reinterpret_cast<int (*)()>(dlsym(lib, "urf_init"));
  int (*use)() = reinterpret_cast<int (*)()>(dlsym(lib, "use"));
  if (argc == 2 && init())
    return 1;
  const long frozen = argc == 2 ? 0 : 6;
  const int good = use();
  printf("%d, %ld taken, %ld given back\n", good, got ? got + frozen : 0, put ? put + frozen : 0);
  return 0;
}
END
flag=$BASE_FLAG
flags='-std=c++17 -fno-builtin -fsized-deallocation -O1'
$CXX_CMD $LD_FLAG $flags -DOWN program.cc -o own -ldl -rdynamic
$CXX_CMD $LD_FLAG $flags program.cc -o none -ldl -static-libstdc++ -static-libgcc
# three PROGRAM [FLAG...]
three() {
  program=$1
  shift
  build_plain a.so library.cc -- $flags "$@"
  run ./$program ./a.so >a.txt
  cat a.txt
  for where in '' $flag$BASE $flag$HIGH_BASE; do
    build_lib b.so library.cc -- $flags "$@" $where
    run ./$program ./b.so >b.txt
    same a.txt b.txt "linked with turf it does otherwise ($program)"
    freeze b.so c.so -q
    run ./$program ./c.so frozen >c.txt
    same a.txt c.txt "frozen it does otherwise ($program)"
  done
}
three own
three none
three none -static-libstdc++ -static-libgcc
