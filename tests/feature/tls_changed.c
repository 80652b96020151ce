// Thread-local variables that init changed: for the thread that loads the library.
// ldflags: -Wl,-z,nodelete
#include <pthread.h>

#include "feature.h"

static const char initial[] = "initial";
static __thread int counter = 5, zero, *own;
static __thread char text[40] = "as at the start";
static __thread const char *pointer = initial;
static __thread struct node {
  struct node *next;
  int value;
} * list;
static int **where;

int urf_init(void)
{
  counter++;
  own = &counter;
  strcpy(text, "as init left it");
  for (int i = 0; i < 5; i++) {
    struct node *n = malloc(sizeof *n);
    *n = (struct node){list, i};
    list = n;
  }
  where = malloc(2 * sizeof *where);
  where[0] = &counter;
  where[1] = &zero;
  return 0;
}

static void *other(void *p)
{
  CHECK(counter == 5 && !zero && !own && !list && pointer == initial);
  CHECK(strcmp(text, "as at the start") == 0);
  return p;
}

void answer(FILE *out)
{
  int sum = 0;
  for (struct node *n = list; n; n = n->next)
    sum += n->value;
  fprintf(out, "%d %d %s %s %d %d %d\n", counter, zero, text, pointer, sum, own == &counter,
          where[0] == &counter && where[1] == &zero);
  tell_wrong(out);
}

void mutate(FILE *out)
{
  pthread_t thread;
  if (!pthread_create(&thread, 0, other, 0))
    pthread_join(thread, 0);
  (*where[0])++;
  zero = 3;
  fprintf(out, "%d\n", *own);
}
