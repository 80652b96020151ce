// The program break, moved up and down by init.
// only: glibc musl's sbrk moves nothing: it fails for every increment but 0
// not: emulated what runs init when it falls back is given a break that does not grow
// cflags: -Wno-deprecated-declarations
#include <unistd.h>

#include "feature.h"

static struct cell {
  struct cell *next;
  int value;
} * cells;
static char *start, *low;

static void *more(size_t n)
{
  char *p = sbrk((intptr_t)n);
  CHECK(p != (char *)-1);
  return p;
}

int urf_init(void)
{
  start = more(0);
  char *text = more(4096);
  CHECK(is_zero(text, 4096));
  strcpy(text, "at the old break");
  start = text;
  for (int i = 0; i < 100; i++) {
    struct cell *cell = more(sizeof *cell);
    *cell = (struct cell){cells, i};
    cells = cell;
  }
  char *end = more(100000);
  memset(end, 1, 100000);
  CHECK(sbrk(-100000) != (void *)-1);
  CHECK(sbrk(0) == end);
  CHECK(brk(end + 8192) == 0 && sbrk(0) == end + 8192);
  low = end;
  memset(low, 7, 8192);
  char *block = malloc(8000);
  memset(block, 1, 8000);
  CHECK(brk(end + 4096) == 0 && sbrk(0) == end + 4096);
  return 0;
}

void answer(FILE *out)
{
  int n = 0, sum = 0;
  for (struct cell *c = cells; c; c = c->next)
    n++, sum += c->value;
  int sevens = 0;
  for (int i = 0; i < 4096; i++)
    sevens += low[i] == 7;
  fprintf(out, "%s %d %d %d\n", start, n, sum, sevens);
  tell_wrong(out);
}

void mutate(FILE *out)
{
  struct cell *cell = more(sizeof *cell);
  *cell = (struct cell){cells, 1000};
  cells = cell;
  char *p = more(50000);
  memset(p, 2, 50000);
  fprintf(out, "%d\n", cell->value);
}
