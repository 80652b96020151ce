#!/bin/sh
# A frozen library that a program needs (DT_NEEDED), or that is loaded with LD_PRELOAD.
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"

cat >needs.c <<'END'
#include "feature.h"
extern int exported_function(int);
__attribute__((constructor)) static void early(void)
{
  /* the library is whole before any constructor of the program */
  if (getenv("FROZEN"))
    printf("%d\n", exported_function(1));
}
int main(void)
{
  if (!getenv("FROZEN")) {
    if (urf_init())
      return 1;
    printf("%d\n", exported_function(1));
  }
  answer(stdout);
  mutate(stdout);
  answer(stdout);
  return 0;
}
END
cat >preloaded.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include "feature.h"
int main(void)
{
  int (*init)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "urf_init");
  void (*say)(FILE *) = (void (*)(FILE *))dlsym(RTLD_DEFAULT, "answer");
  void (*change)(FILE *) = (void (*)(FILE *))dlsym(RTLD_DEFAULT, "mutate");
  if (!getenv("FROZEN") && init())
    return 1;
  say(stdout);
  change(stdout);
  say(stdout);
  return 0;
}
END
mkdir a b c
source=$TESTS/feature/link_now.c
build_plain a/libmix.so "$source" -- -O2 -Wl,-soname,libmix.so
build_lib b/libmix.so "$source" -- -O2 -Wl,-soname,libmix.so
include=-I$TESTS/feature
$CC_CMD $LD_FLAG $include needs.c -o needs -La -lmix
$CC_CMD $LD_FLAG $include needs.c -o needs_now -La -lmix -Wl,-z,now -no-pie
$CC_CMD $include preloaded.c -o preloaded -ldl
use() { # LIBRARY-DIRECTORY OUTPUT
  : >"$2"
  for program in ./needs ./needs_now; do
    run env LD_LIBRARY_PATH="$PWD/$1" $program >>"$2"
  done
  run env LD_PRELOAD="$PWD/$1/libmix.so" ./preloaded >>"$2"
  # in a program that has nothing to do with it, and everything that this one starts
  run env LD_PRELOAD="$PWD/$1/libmix.so" $shell >>"$2"
}
shell='sh -c true'
[ $LIBC = glibc ] || shell=./preloaded
use a a.txt
use b b.txt
same a.txt b.txt "linked with turf it answers otherwise"
freeze b/libmix.so c/libmix.so
export FROZEN=1
for _ in 1 2 3 4 5; do
  use c c.txt
  same a.txt c.txt "frozen it answers otherwise"
done
