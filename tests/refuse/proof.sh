#!/bin/sh
# A frozen library that cannot be loaded is found out before it gets its name, and leaves nothing.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

echo 'int exported = 7;' >dep.c
build_plain libdep.so dep.c
cat >library.c <<'END_C'
#include <dlfcn.h>
static int *found;
int urf_init(void)
{
  void *dep = dlopen(DEP, RTLD_NOW | RTLD_GLOBAL);
  return !dep || !(found = dlsym(dep, "exported"));
}
int answer(void) { return *found; }
END_C
build_lib b.so library.c -- "-DDEP=\"$WORK/libdep.so\""
echo "process:module keep the program that uses it loads the module itself" >policy
if [ "$LIBC" = musl ]; then # whose dynamic linker is a part of it
  echo "data:ld-musl-x86_64.so.1 keep the list of modules, which has that module then" >>policy
fi
expect_refusal 4 exported "$TURF" freeze b.so -o "$OUT" --policy policy

# what chooses a function before the library is whole
if [ "$LIBC" = glibc ]; then
  cat >choose.c <<'END'
#include <stdio.h>
static int two(void) { return 2; }
int (*volatile chosen)(void) __attribute__((visibility("hidden"))) = two;
static void *choose(void) { return chosen; }
static int call(void) __attribute__((ifunc("choose")));
static int number;
int urf_init(void) { number = call(); return 0; }
void answer(FILE *out) { fprintf(out, "%d\n", call() + number); }
END
  build_lib choose.so choose.c
  expect_refusal 4 IFUNC "$TURF" freeze choose.so -o "$OUT"
fi
