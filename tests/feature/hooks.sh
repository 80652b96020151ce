#!/bin/sh
# Functions that are called at the freeze and at each load, variables that are not frozen; C and C++.
# not: mold variables that are not frozen have no place without urf.ld
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
build_driver

cat >hooks.c <<'END'
#include "feature.h"
#include <unistd.h>
#include "urf.h"
static int initialised, frozen, thawed, order, pid;
static char *cache;
URF_TRANSIENT static int counter = 5;
URF_TRANSIENT static const char *name = "initial";
URF_TRANSIENT static int *where;
URF_TRANSIENT static long zero[2];
static int *to_counter = &counter;
static void drop(void)
{
  frozen += initialised;
  free(cache);
  cache = 0;
  pid = 0;
}
static void first(void)
{
  order = 1;
  thawed++;
}
static void second(void)
{
  order = order * 10 + 2;
  cache = strdup("made at load");
  pid = getpid();
}
URF_ON_FREEZE(drop);
URF_ON_THAW(first);
URF_ON_THAW(second);
int urf_init(void)
{
  initialised = 1;
  cache = strdup("cache");
  pid = getpid();
  counter = 77;
  name = cache;
  where = &initialised;
  zero[1] = 3;
  return 0;
}
void answer(FILE *out)
{
  fprintf(out, "%d %d %d %d %s %d %s %d %ld %d %d\n", initialised, frozen, thawed, order, cache,
          counter, name, where != 0, zero[1], *to_counter, pid == getpid());
}
END
build_lib b.so hooks.c -- -I"$TESTS/../loader" -Wl,-z,now
run "$DRIVER" ./b.so >out.txt
grep -q '^1 0 0 0 cache 77 cache 1 3 77 1$' out.txt || fail "not frozen: $(cat out.txt)"
freeze b.so c.so
run "$DRIVER" -f ./c.so >out.txt 2>/dev/null
grep -q '^1 1 1 12 made at load 5 initial 0 0 5 1$' out.txt || fail "frozen: $(cat out.txt)"
run "$TURF" verify c.so
no_new_complaints b.so c.so

if [ -n "$CXX_CMD" ]; then
  cat >hooks.cc <<'END'
#include <string>
#include "feature.h"
#include "urf.h"
namespace {
URF_TRANSIENT int counter = 5;
std::string text;
void freeze() { text += " frozen"; }
void thaw() { text += " thawed and longer than a string keeps inside"; }
URF_ON_FREEZE(freeze);
URF_ON_THAW(thaw);
} // namespace
int urf_init(void) { counter++; text = "text"; return urf_frozen(); }
void answer(FILE *out) { fprintf(out, "%s %d %d\n", text.c_str(), counter, urf_frozen()); }
END
  build_lib b.so hooks.cc -- -I"$TESTS/../loader" -static-libstdc++ -static-libgcc
  freeze b.so c.so
  run "$DRIVER" -f ./c.so >out.txt 2>/dev/null
  grep -q '^text frozen thawed and longer than a string keeps inside 5 1$' out.txt || fail "$(cat out.txt)"
fi

# a thread that the hook ends
cat >quit.c <<'END'
#include <pthread.h>
#include <unistd.h>
#include "feature.h"
#include "urf.h"
static volatile int stop;
static pthread_t thread;
static void *work(void *p) { while (!stop) usleep(1000); return p; }
static void quit(void) { stop = 1; pthread_join(thread, 0); thread = 0; }
URF_ON_FREEZE(quit);
int urf_init(void) { return pthread_create(&thread, 0, work, 0); }
void answer(FILE *out) { fprintf(out, "%d\n", stop); }
END
build_lib quit.so quit.c -- -pthread -I"$TESTS/../loader"
freeze quit.so quitted.so

# one that fails is found at the freeze
cat >bad.c <<'END'
#include "feature.h"
#include "urf.h"
static volatile int *nothing;
static void crash(void) { *nothing = 1; }
URF_ON_THAW(crash);
int urf_init(void) { return 0; }
void answer(FILE *out) { fprintf(out, "\n"); }
END
build_lib bad.so bad.c -- -I"$TESTS/../loader"
[ "$TURF" = none ] || expect_refusal 1 URF_ON_THAW "$TURF" freeze bad.so -o "$OUT"
