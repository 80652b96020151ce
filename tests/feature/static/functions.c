/* Pointers to functions and variables of the C library, constructors, hooks. */
#include "common.h"

static struct table {
  void *(*get)(size_t);
  void (*put)(void *);
  int (*compare)(const char *, const char *);
  void *(*copy)(void *, const void *, size_t);
  size_t (*length)(const char *);
  FILE *out;
  int (*say)(const char *);
} * table;
static int constructed, frozen, thawed;
static char *early;
URF_TRANSIENT static int transient = 5;

__attribute__((constructor(101))) static void first(void)
{
  constructed = 10;
}

__attribute__((constructor)) static void second(void)
{
  constructed++;
  early = strdup("early");
}

__attribute__((destructor)) static void last(void)
{
  printf("gone %d\n", constructed);
}

static void on_freeze(void)
{
  frozen++;
}
URF_ON_FREEZE(on_freeze);

static void on_thaw(void)
{
  thawed++;
  early[0] = 'E';
}
URF_ON_THAW(on_thaw);

int boot(void)
{
  table = malloc(sizeof *table);
  *table = (struct table){malloc, free, strcmp, memcpy, strlen, stdout, puts};
  fprintf(stderr, "booting\n"); /* which leaves its stream as it was */
  constructed += 100;
  transient = 8;
  return 0;
}

int use(void)
{
  char *p = table->get(10);
  table->copy(p, "abc", 4);
  fprintf(table->out, "%d %zu %s\n", table->compare(p, "abc"), table->length(p), early + 1);
  table->put(p);
  table->say("said");
  CHECK(constructed == 111);
  CHECK(frozen == FROZEN && thawed == FROZEN);
  CHECK(transient == (FROZEN ? 5 : 8));
  CHECK(early[0] == (FROZEN ? 'E' : 'e'));
  return 0;
}
