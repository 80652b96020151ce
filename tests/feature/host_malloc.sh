#!/bin/sh
# In a program with an allocator of its own, memory taken after the load comes from there, and frozen
# blocks never go there.
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"

cat >library.c <<'END'
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char *frozen[100];
int urf_init(void)
{
  for (int i = 0; i < 100; i++)
    frozen[i] = strdup("made by init");
  return 0;
}
int use(void)
{
  char *own[100], *p = 0;
  int good = 1;
  for (int i = 0; i < 100; i++) {
    own[i] = i % 3 ? malloc(50) : i % 2 ? calloc(5, 10) : strdup("a string of the library");
    good &= malloc_usable_size(frozen[i]) >= 13;
    if (i % 2)
      frozen[i] = realloc(frozen[i], 300);
    good &= strcmp(frozen[i], "made by init") == 0;
    if (i % 4 == 1)
      frozen[i] = realloc(frozen[i], 20);
  }
  if (posix_memalign((void **)&p, 64, 100))
    return 0;
  free(p);
  for (int i = 0; i < 100; i++) {
    own[i] = realloc(own[i], 200);
    free(own[i]);
    free(frozen[i]);
    frozen[i] = 0;
  }
  return good;
}
END
cat >program.c <<'END'
/* malloc with a mark before each block: a block that is not one of ours is a fault. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define MARK 0x1badb10cu
struct head { uint64_t mark, size; };
static char pool[8 << 20] __attribute__((aligned(16)));
static size_t used;
static long got, put, live;
static int counting;
static void fault(const char *what)
{
  (void)!write(2, what, strlen(what));
  _exit(1);
}
static void *take(size_t align, size_t size)
{
  size_t at = (used + sizeof(struct head) + align - 1) & ~(align - 1);
  if (at + size > sizeof pool)
    fault("pool is empty\n");
  struct head *h = (struct head *)(void *)(pool + at) - 1;
  *h = (struct head){MARK, size};
  used = (at + size + 15) & ~(size_t)15;
  got += counting, live += counting;
  return pool + at;
}
static struct head *head(void *p)
{
  struct head *h = (struct head *)p - 1;
  if ((char *)p < pool || (char *)p >= pool + sizeof pool || h->mark != MARK)
    fault("the program's allocator was given a foreign block\n");
  return h;
}
void *malloc(size_t n) { return take(16, n); }
void *calloc(size_t n, size_t m) { return memset(take(16, n * m), 0, n * m); }
void free(void *p)
{
  if (p)
    head(p)->mark = 0, put += counting, live -= counting;
}
void *realloc(void *p, size_t n)
{
  void *q = take(16, n);
  if (p) {
    size_t old = head(p)->size;
    memcpy(q, p, old < n ? old : n);
    free(p);
  }
  return q;
}
int posix_memalign(void **p, size_t align, size_t n) { *p = take(align, n); return 0; }
void *aligned_alloc(size_t align, size_t n) { return take(align, n); }
void *memalign(size_t align, size_t n) { return take(align, n); }
size_t malloc_usable_size(void *p) { return p ? head(p)->size : 0; }
int main(int argc, char **argv)
{
  void *lib = dlopen(argv[1], RTLD_NOW);
  if (!lib)
    return fprintf(stderr, "%s\n", dlerror()), 1;
  int (*init)(void) = (int (*)(void))dlsym(lib, "urf_init");
  int (*use)(void) = (int (*)(void))dlsym(lib, "use");
  if (argc == 2 && init())
    return 1;
  counting = 1;
  int good = use();
  counting = 0;
  printf("%d, blocks of the program's allocator: %s, %ld left\n", good, got >= 200 ? "yes" : "no",
         argc == 2 ? live + 100 : live);
  return dlclose(lib) != 0;
}
END
# The program and its blocks lie above some of the bases and below others.
flag=$BASE_FLAG
for flags in '' -rdynamic; do
  $CC_CMD $LD_FLAG -O1 -fno-builtin $flags program.c -o program -ldl -Wl,--export-dynamic
  build_plain a.so library.c -- -fno-builtin
  run ./program ./a.so >a.txt
  cat a.txt
  for where in '' $flag$BASE $flag$HIGH_BASE; do
    build_lib b.so library.c -- -fno-builtin $where
    run ./program ./b.so >b.txt
    same a.txt b.txt "linked with turf it does otherwise"
    freeze b.so c.so -q
    for _ in 1 2 3; do
      run ./program ./c.so frozen >c.txt
      same a.txt c.txt "frozen it does otherwise"
    done
  done
done
