/* What init and constructors have registered for the end of the process happens then, last things first. */
#include "common.h"

static char *name;

static void first(void)
{
  printf("first %s\n", name);
}

static void second(void)
{
  printf("second\n");
}

static void third(void)
{
  printf("third\n");
}

__attribute__((constructor)) static void construct(void)
{
  atexit(first);
}

__attribute__((destructor)) static void destroy(void)
{
  printf("destroyed\n");
}

int boot(void)
{
  name = strdup("name");
  for (int i = 0; i < 50; i++)
    if (atexit(second))
      return 1;
  return 0;
}

int use(void)
{
  return atexit(third);
}
