// Thread-local variables that init leaves alone keep their initial values in every thread.
// machines: yes
#include <pthread.h>

#include "feature.h"

static __thread int local = 5;
static __thread struct {
  long a[100];
} zero;
__thread char *exported_local = "initial";
static int global;

int urf_init(void)
{
  global = 1;
  return 0;
}

static void *look(void *out)
{
  fprintf(out, "%d %ld %s %d\n", local, zero.a[99], exported_local, global);
  local++;
  zero.a[99] = 1;
  exported_local = "changed";
  fprintf(out, "%d %ld %s\n", local, zero.a[99], exported_local);
  return 0;
}

void answer(FILE *out)
{
  pthread_t id;
  if (pthread_create(&id, 0, look, out) || pthread_join(id, 0))
    fprintf(out, "wrong: no thread\n");
  fprintf(out, "%d %s\n", local, exported_local);
}

void mutate(FILE *out)
{
  look(out);
  global++;
}
