#!/bin/sh
# A constructor starts a thread that allocates, and waits for it, while dlopen holds its lock.  And the
# library's first call of malloc leaves the program's pending dlerror alone.
# timeout: 60
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"

cat >library.c <<'END'
#include <pthread.h>
#include "feature.h"
static char *volatile text;
static void nothing(void) {}
static void *work(void *p)
{
  char *volatile q = malloc(100);
  free(q);
  q = strdup("x");
  free(q);
  pthread_atfork(nothing, nothing, nothing);
  return p;
}
void run_thread(void);
void run_thread(void)
{
  pthread_t thread;
  if (!pthread_create(&thread, 0, work, 0))
    pthread_join(thread, 0);
}
#ifdef EARLY
__attribute__((constructor)) static void start(void) { run_thread(); }
#endif
int urf_init(void) { return !(text = strdup("text")); }
void answer(FILE *out) { fprintf(out, "%s\n", text); }
END
cat >other.c <<'END'
void run_thread(void);
__attribute__((constructor)) static void start(void) { run_thread(); }
END
cat >program.c <<'END'
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
  void *library = dlopen(argv[1], RTLD_NOW);
  void (*answer)(FILE *) = 0;
  int (*init)(void) = 0;
  if (!library || !(*(void **)&answer = dlsym(library, "answer")))
    return puts(dlerror()), 1;
  *(void **)&init = dlsym(library, "urf_init");
  dlsym(library, "there_is_no_such_symbol");
  if (argc > 2 && init())
    return 1;
  printf("%s\n", dlerror() ? "error kept" : "error lost");
  answer(stdout);
  return 0;
}
END
$CC_CMD $LD_FLAG -w program.c -o program -ldl
build_plain a.so library.c -- -pthread -DEARLY
build_lib b.so library.c -- -pthread -DEARLY
run timeout 10 ./program ./a.so init >want.txt
run timeout 10 ./program ./b.so init >out.txt
same want.txt out.txt "linked with turf it answers otherwise"

# frozen, and called by the constructor of a library that needs it
build_lib libc1.so library.c -- -pthread -Wl,-soname,libf.so
freeze libc1.so libf.so -q
build_plain other.so other.c -- ./libf.so -Wl,-rpath,"$WORK"
cat >needs.c <<'END'
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
  void *library = dlopen(argv[argc - 1], RTLD_NOW);
  void (*answer)(FILE *) = 0;
  if (!library || !(*(void **)&answer = dlsym(library, "answer")))
    return puts(dlerror()), 1;
  answer(stdout);
  return 0;
}
END
$CC_CMD $LD_FLAG -w needs.c -o needs -ldl
run timeout 10 ./needs ./other.so >out.txt
[ "$(cat out.txt)" = text ] || fail "$(cat out.txt)"
