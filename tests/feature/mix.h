/* A library with a little of everything, for the tests that vary how it is compiled and linked. */
#include <ctype.h>

#include "feature.h"

struct node {
  struct node *next;
  char *text;
  int (*change)(int);
};

static struct node *list, last = {0, 0, toupper};
static int values[4] = {1, 2, 3, 4}, *middle = &values[2], *exported_at;
int exported[4] = {10, 20, 30, 40}, *pointer_to_exported = &exported[1];
char *exported_text = (char *)"exported text";
static char sparse[100000];
static FILE **stream;
static int constructed;

__attribute__((constructor)) static void start(void)
{
  constructed++;
}

int exported_function(int i)
{
  return i + *pointer_to_exported;
}
static int (*function)(int) = exported_function;

int urf_init(void)
{
  static const char *const names[] = {"alpha", "beta", "gamma", "delta"};
  last.text = strdup("last");
  list = &last;
  for (int i = 0; i < 4; i++) {
    struct node *n = malloc(sizeof *n);
    *n = (struct node){list, strdup(names[i]), i % 2 ? toupper : tolower};
    list = n;
  }
  *middle += 100;
  exported_at = &exported[3];
  exported[1]++;
  stream = malloc(sizeof *stream);
  *stream = stdout;
  sparse[99999] = 'z';
  return 0;
}

void answer(FILE *out)
{
  for (struct node *n = list; n; n = n->next)
    fprintf(*stream, "%s%c ", n->text, n->change('x'));
  fprintf(out, "%d %d %d %d %s %c %d %d\n", values[2], *middle, *exported_at, function(1),
          exported_text, sparse[99999], *stream == out, constructed);
}

void mutate(FILE *out)
{
  struct node *old = list;
  list = list->next;
  free(old->text);
  free(old);
  list->text = realloc(list->text, 1000);
  strcat(list->text, "-more");
  middle = values;
  pointer_to_exported++;
  fprintf(out, "%d\n", function(0));
}
