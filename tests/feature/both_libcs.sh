#!/bin/sh
# A library that needs no libc by name, frozen under one libc, is right under both; and one that init has
# made keep a function of libc's has that of the process it is in.
# configs: gcc-bfd-glibc gcc-lld-glibc gcc-bfd-musl gcc-lld-musl
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
need musl-gcc=musl-tools gcc

cat >library.c <<'END'
#include <stddef.h>
void *malloc(size_t);
void *realloc(void *, size_t);
void free(void *);
int abs(int);
static struct node { struct node *next; int (*use)(int); int value; } *list;
int urf_init(void)
{
  for (int i = 0; i < 100; i++) {
    struct node *n = malloc(sizeof *n);
    *n = (struct node){list, abs, -i};
    list = n;
  }
  return 0;
}
int sum(void)
{
  int s = 0;
  for (struct node *n = list; n; n = n->next)
    s += n->use(n->value);
  return s;
}
int change(void)
{
  struct node *second = list->next, *moved = realloc(list, 1000);
  free(second->next);
  second->next = NULL;
  list = moved;
  return sum();
}
END
cat >main.c <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
  void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
  if (!library) {
    puts(dlerror());
    return 1;
  }
  int (*sum)(void) = (int (*)(void))dlsym(library, "sum");
  int (*change)(void) = (int (*)(void))dlsym(library, "change");
  void *self = dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
  int before = sum(), after = change();
  printf("%d %d %s\n", before, after, self ? "glibc" : "musl");
  return 0;
}
END
gcc -O1 $WARN main.c -o glibc -ldl
musl-gcc -O1 $WARN main.c -o musl
build_lib b.so library.c -- -nostdlib
! readelf -d b.so | grep NEEDED || fail "it needs another library"
for host in "$LIBDIR"/turf/host-x86_64-glibc "$LIBDIR"/turf/host-x86_64-musl; do
  freeze b.so c.so --host "$host"
  for libc in glibc musl; do
    run ./$libc ./c.so >out.txt
    [ "$(cat out.txt)" = "4950 197 $libc" ] || fail "frozen by ${host##*/}, under $libc: $(cat out.txt)"
  done
done
