#!/bin/sh
# Functions of the library that are called before its constructor has run, by that of another module which
# does not depend on it, find an allocator, and what they have got can be given back later.
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"

cat >library.c <<'END'
#include "feature.h"
static int constructed;
__attribute__((constructor)) static void construct(void) { constructed = 1; }
static char *kept;
int urf_init(void)
{
  kept = strdup("made by init");
  return 0;
}
void *make(int *before)
{
  char *p = malloc(20), *q = calloc(2, 10);
  *before = !constructed;
  if (!p || !q || !(p = realloc(p, 3000)))
    return 0;
  strcpy(p, "made early");
  free(q);
  q = strdup("and a copy");
  free(q);
  return p;
}
int drop(char *p)
{
  const int good = strcmp(p, "made early") == 0;
  p = realloc(p, 100000);
  free(p);
  kept = realloc(kept, 2000);
  return good && strcmp(kept, "made by init") == 0;
}
END
cat >early.c <<'END'
#include <stddef.h>
void *make(int *) __attribute__((weak));
void *early;
int before;
__attribute__((constructor)) static void construct(void)
{
  if (make)
    early = make(&before);
}
END
cat >program.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
  char **early = dlsym(RTLD_DEFAULT, "early");
  int *before = dlsym(RTLD_DEFAULT, "before");
  int (*init)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "urf_init");
  int (*drop)(char *) = (int (*)(char *))dlsym(RTLD_DEFAULT, "drop");
  if (!early || !*early || !before || !init || !drop || (argc == 1 && init()))
    return 1;
  printf("%d", drop(*early));
  if (argc == 1) /* a frozen library's mark is frozen */
    printf(", %s", *before ? "before" : "after");
  return printf("\n") < 0 || !argv;
}
END
build_plain early.so early.c
build_plain a.so library.c
build_lib b.so library.c
$CC_CMD $LD_FLAG program.c -o program -ldl
both() { # LIBRARY [ARGUMENT]: one of the orders is the one meant
  run env LD_PRELOAD="$WORK/$1 $WORK/early.so" ./program ${2-}
  run env LD_PRELOAD="$WORK/early.so $WORK/$1" ./program ${2-}
}
both a.so >a.txt
cat a.txt
grep -q 'before' a.txt || fail "it is not called before its constructor"
both b.so >b.txt
same a.txt b.txt "linked with turf it does otherwise"
freeze b.so c.so -q
both c.so frozen >c.txt
sed -i 's/,.*//' a.txt
same a.txt c.txt "frozen it does otherwise"
