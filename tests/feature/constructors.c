// Constructors of several priorities: they have run once, in order, before init.
// machines: all
#include "feature.h"

static char order[16];
static int n, *counters;

static void note(char c)
{
  if (!counters)
    counters = calloc(4, sizeof *counters);
  order[n++] = c;
  counters[c - 'a']++;
}

__attribute__((constructor)) static void last(void)
{
  note('d');
}
__attribute__((constructor(300))) static void third(void)
{
  note('c');
}
__attribute__((constructor(101))) static void first(void)
{
  note('a');
}
__attribute__((constructor(200))) static void second(void)
{
  note('b');
}
__attribute__((destructor)) static void leave(void)
{
  printf("destructor %s\n", order);
}
__attribute__((destructor(200))) static void leave_late(void)
{
  printf("late destructor\n");
}

int urf_init(void)
{
  order[n++] = '!';
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%s %d %d %d %d\n", order, counters[0], counters[1], counters[2], counters[3]);
}

void mutate(FILE *out)
{
  order[0] = 'A';
  fprintf(out, "%s\n", order);
}
