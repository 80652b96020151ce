#!/bin/sh
# A frozen library twice in one process, in two namespaces, each with a state of its own.
# only: glibc musl has no dlmopen
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"

cat >library.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static struct node { struct node *next; long n; } *list;
static size_t (*length)(const char *);
static char *text, line[200];
int urf_init(void)
{
  for (int i = 0; i < 10; i++) {
    struct node *n = malloc(sizeof *n);
    *n = (struct node){list, i};
    list = n;
  }
  text = strdup("text");
  length = strlen;
  return 0;
}
const char *describe(void)
{
  long sum = 0;
  for (struct node *n = list; n; n = n->next)
    sum += n->n;
  snprintf(line, sizeof line, "%ld %s %zu", sum, text, length(text));
  return line;
}
void change(const char *to)
{
  free(text);
  text = strdup(to);
  list = realloc(list, 1000);
  list->n += 100;
}
END
cat >program.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
  void *space[3];
  for (int i = 0; i < 3; i++) {
    space[i] = dlmopen(i ? LM_ID_NEWLM : LM_ID_BASE, argv[1], RTLD_NOW);
    if (!space[i])
      return fprintf(stderr, "%s\n", dlerror()), 1;
    int (*init)(void) = (int (*)(void))dlsym(space[i], "urf_init");
    if (argc == 2 && init())
      return 1;
  }
  static const char *const to[] = {"first", "the second", "third of them"};
  for (int round = 0; round < 2; round++)
    for (int i = 0; i < 3; i++) {
      const char *(*describe)(void) = (const char *(*)(void))dlsym(space[i], "describe");
      void (*change)(const char *) = (void (*)(const char *))dlsym(space[i], "change");
      printf("%d: %s\n", i, describe());
      change(to[i]);
      printf("%d: %s\n", i, describe());
    }
  for (int i = 2; i >= 0; i--)
    if (dlclose(space[i]))
      return 1;
  return 0;
}
END
build_plain a.so library.c
build_lib b.so library.c
$CC_CMD -o program program.c -ldl
run ./program ./a.so >a.txt
run ./program ./b.so >b.txt
same a.txt b.txt "linked with turf it answers otherwise"
freeze b.so c.so
for _ in 1 2 3 4 5; do
  run ./program ./c.so frozen >c.txt
  same a.txt c.txt "frozen it answers otherwise"
done
