// The environment, through a pointer to the variable that holds it.
#include <unistd.h>

#include "feature.h"

static char ***everything = &environ;
static struct {
  int pad;
  char ***where;
} * holder;

int urf_init(void)
{
  holder = malloc(sizeof *holder);
  holder->where = &environ;
  return 0;
}

static const char *find(char **list, const char *name)
{
  for (; list && *list; list++)
    if (strncmp(*list, name, strlen(name)) == 0)
      return *list;
  return "none";
}

void answer(FILE *out)
{
  setenv("TURF_TEST_VARIABLE", "value", 1);
  fprintf(out, "%s %s\n", find(*everything, "TURF_TEST_VARIABLE="),
          find(*holder->where, "TURF_TEST_VARIABLE="));
}
