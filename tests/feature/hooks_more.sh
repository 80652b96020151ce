#!/bin/sh
# Hooks that use all that a library may use at load, in the order of the link, and however they were linked.
# timeout: 240
# not: mold variables that are not frozen have no place without urf.ld
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
build_driver

cat >common.h <<'END'
#include <pthread.h>
#include <unistd.h>
#include "feature.h"
#include "urf.h"
extern char order[20], *grown, *block;
END
cat >first.c <<'END'
#include "common.h"
char order[20], *grown, *block;
static char *many[500];
URF_TRANSIENT int exported_transient = 3;
static int *to_transient = &exported_transient;
static pthread_key_t key;
static int sum;
static void *work(void *p)
{
  for (int i = 0; i < 1000; i++)
    free(malloc((size_t)i));
  pthread_setspecific(key, p);
  return strdup("by a thread");
}
static void early(void) { strcat(order, "f"); }
static void a(void)
{
  pthread_t id;
  void *result = 0;
  strcat(order, urf_frozen() ? "a" : "?");
  for (int i = 0; i < 500; i += 2) /* frozen blocks */
    free(many[i]);
  for (int i = 0; i < 500; i += 2)
    many[i] = strdup("new");
  grown = realloc(grown, 100000);
  memset(grown + 10, 'g', 99989);
  grown[99999] = 0;
  if (pthread_create(&id, 0, work, block) || pthread_join(id, &result))
    abort();
  free(block);
  block = result;
  for (int i = 0; i < 500; i++)
    sum += (int)strlen(many[i]);
}
URF_ON_FREEZE(early);
URF_ON_THAW(a);
static void b(void) { strcat(order, "b"); }
URF_ON_THAW(b);
int urf_init(void)
{
  for (int i = 0; i < 500; i++)
    if (!(many[i] = strdup("frozen")))
      return 1;
  grown = strdup("0123456789");
  block = malloc(50);
  exported_transient = 4;
  return pthread_key_create(&key, 0);
}
void second(FILE *out);
void answer(FILE *out)
{
  fprintf(out, "%s %s %d %zu %d%d\n", order, block, sum, strlen(grown), exported_transient,
          *to_transient);
  second(out);
}
END
cat >second.c <<'END'
#include "common.h"
void second(FILE *out);
static void a(void) { strcat(order, "c"); } /* the same name as in first.c */
URF_ON_THAW(a);
static void late(void) { strcat(order, "F"); }
URF_ON_FREEZE(late);
void second(FILE *out) { fprintf(out, "second\n"); }
END
cat >unused.c <<'END'
#include "common.h"
static void a(void) { strcat(order, "X"); }
URF_ON_THAW(a);
END
flags="-I$TESTS/../loader -I$WORK -I$TESTS/feature -fPIC -D_GNU_SOURCE -O2 $WARN"
compile() { # FLAG...
  for file in first second unused; do
    $CC_CMD $flags "$@" -c $file.c -o $file.o
  done
  rm -f lib.a
  ar rcs lib.a second.o unused.o
}
try() { # WHAT ORDER OBJECT-OR-FLAG...
  what=$1 want=$2
  shift 2
  build_lib b.so "$@" -pthread
  freeze b.so c.so -q
  for mode in -n -t; do
    run "$DRIVER" $mode -f ./c.so >out.txt
    [ "$(sed -n 2p out.txt)" = "$want by a thread 2250 99999 33" ] || fail "$what: $(cat out.txt)"
  done
  run "$TURF" verify -q c.so
}
compile
try "two objects" fFabc first.o second.o --
try "the other order" Ffcab second.o first.o --
try "a member of an archive" fFabc first.o lib.a --
try "with --gc-sections" fFabc first.o second.o -- -Wl,--gc-sections
compile -ffunction-sections -fdata-sections
try "sections of their own" fFabc first.o lib.a -- -Wl,--gc-sections
try "bound at once" fFabc first.o second.o -- -Wl,-z,now -Wl,-Bsymbolic
case $CC-$LD in
gcc-bfd)
  compile -flto
  build_lib b.so first.o second.o -- -flto -O2 -pthread
  freeze b.so c.so -q
  run "$DRIVER" -f ./c.so >out.txt
  [ "$(sed -n 2p out.txt)" = "fFabc by a thread 2250 99999 33" ] || fail "LTO: $(cat out.txt)"
  ;;
esac

# exceptions, objects and what C++ calls constant
if [ -n "$CXX_CMD" ]; then
  cat >hooks.cc <<'END'
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include "feature.h"
#include "urf.h"
static std::map<std::string, std::vector<int>> table;
static std::string said;
static int catch_one(int n)
{
  try {
    if (table.at("key")[0] == 7)
      throw std::runtime_error("thrown in a hook, and longer than a string keeps inside");
    return n;
  } catch (const std::exception &e) {
    said += e.what();
    throw;
  }
}
namespace inner {
struct Hooks {
  static void thaw()
  {
    try {
      catch_one(1);
    } catch (...) {
      said += '!';
    }
    table.erase("gone");
    table["new"] = std::vector<int>(1000, 1);
    std::thread([] { table["thread"].push_back(5); }).join();
  }
};
} // namespace inner
template <int n> void add() { said += (char)('0' + n); }
URF_ON_THAW(inner::Hooks::thaw);
URF_ON_THAW(add<1>);
URF_ON_THAW(add<2>);
#if __cplusplus >= 201703L
URF_ON_THAW([] { said += "lambda"; });
#else
URF_ON_THAW(add<3>);
#endif
int urf_init(void)
{
  table["key"] = {7, 8};
  table["gone"] = {1};
  return urf_stats().words != 0;
}
void answer(FILE *out)
{
  fprintf(out, "%s %zu %d %d\n", said.c_str(), table.size(), table["thread"].empty() ? 0 : table["thread"][0],
          urf_frozen() && urf_stats().words > 0 && urf_stats().pages > 0);
}
END
  for std in c++11 c++17; do
    build_lib b.so hooks.cc -- -std=$std -O2 -I"$TESTS/../loader" -static-libstdc++ -static-libgcc \
      -Wl,--exclude-libs,ALL -pthread
    freeze b.so c.so -q
    end=lambda
    [ $std = c++17 ] || end=3
    run "$DRIVER" -f ./c.so >out.txt
    grep -qx "thrown in a hook, and longer than a string keeps inside!12$end 3 5 1" out.txt ||
      fail "C++: $(cat out.txt)"
  done
  # what is no constant cannot be a hook: constructors do not run again
  printf '#include "urf.h"\nvoid f(); void g(); extern int n;\nURF_ON_THAW(n ? f : g);\n' >dynamic.cc
  ! $CXX_CMD -I"$TESTS/../loader" -fPIC -c dynamic.cc 2>/dev/null || fail "a hook that is no constant"
  printf '#include <string>\n#include "urf.h"\nURF_TRANSIENT static std::string s("x");\n' >dynamic.cc
  ! $CXX_CMD -I"$TESTS/../loader" -fPIC -c dynamic.cc 2>/dev/null || fail "a transient with a constructor"
  printf '#include <memory>\n#include "urf.h"\nURF_TRANSIENT std::unique_ptr<int> p;\n
    URF_TRANSIENT static int i = 5;\nextern int j;\nURF_TRANSIENT int j = 3;\n' >constant.cc
  $CXX_CMD $WARN -I"$TESTS/../loader" -fPIC -c constant.cc
fi

# what a hook at the freeze does to its process is seen
printf '%s\n' '#include "common.h"' 'static void go(void) { if (chdir("/tmp")) abort(); }' \
  'URF_ON_FREEZE(go);' 'int urf_init(void) { return 0; }' >go.c
build_lib go.so go.c -- -I"$TESTS/../loader" -I"$WORK"
[ "$TURF" = none ] || expect_refusal 1 process:cwd "$TURF" freeze go.so -o "$OUT"
