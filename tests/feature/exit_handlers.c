// What init registers with atexit is called when the library goes, in reverse order.
// machines: yes
#include "feature.h"

static char *name;

static void first(void)
{
  printf("first registered, %s\n", name);
}
static void second(void)
{
  printf("second registered, %s\n", name);
}
static void third(void)
{
  printf("third registered, %s\n", name);
}
static void during(void)
{
  printf("registered after the load, %s\n", name);
}

__attribute__((constructor)) static void start(void)
{
  atexit(first);
}

int urf_init(void)
{
  name = strdup("named by init");
  return atexit(second) || atexit(third);
}

void answer(FILE *out)
{
  fprintf(out, "%s\n", name);
}

void mutate(FILE *out)
{
  fprintf(out, "%d\n", atexit(during));
}
