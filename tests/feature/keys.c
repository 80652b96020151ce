// Thread-specific data: the keys that init made are there, apart from the process's own, with the
// value that init set for the thread that loads the library.
// machines: yes
// ldflags: -Wl,-z,nodelete
#include <pthread.h>

#include "feature.h"

static pthread_key_t first, second, third, early;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int destroyed, runs;

static void destroy(void *p)
{
  destroyed += *(int *)p;
}

static void make(void)
{
  runs++;
  CHECK(pthread_key_create(&third, 0) == 0);
}

__attribute__((constructor)) static void start(void)
{
  CHECK(pthread_key_create(&early, 0) == 0);
  CHECK(pthread_setspecific(early, "early") == 0);
}

int urf_init(void)
{
  pthread_key_t gone;
  int *value = malloc(sizeof *value);
  *value = 5;
  CHECK(pthread_key_create(&first, destroy) == 0);
  CHECK(pthread_key_create(&gone, 0) == 0);
  CHECK(pthread_key_delete(gone) == 0);
  CHECK(pthread_key_create(&second, 0) == 0);
  CHECK(first != second);
  CHECK(pthread_getspecific(second) == 0);
  CHECK(pthread_setspecific(first, value) == 0);
  pthread_once(&once, make);
  return 0;
}

static void *work(void *p)
{
  static int one = 1;
  CHECK(pthread_getspecific(first) == 0);
  CHECK(pthread_setspecific(first, &one) == 0);
  CHECK(pthread_getspecific(first) == &one);
  return p;
}

void answer(FILE *out)
{
  int *value = pthread_getspecific(first);
  fprintf(out, "%d %s %d %d\n", value ? *value : -1, (char *)pthread_getspecific(early),
          pthread_getspecific(second) == 0, destroyed);
  pthread_once(&once, make);
  tell_wrong(out);
}

void mutate(FILE *out)
{
  pthread_t thread;
  pthread_key_t more;
  CHECK(pthread_key_create(&more, 0) == 0 && more != first && more != second && more != third);
  CHECK(pthread_setspecific(more, out) == 0 && pthread_getspecific(more) == out);
  CHECK(pthread_setspecific(second, &first) == 0 && pthread_getspecific(second) == &first);
  CHECK(pthread_getspecific(more) == out);
  if (!pthread_create(&thread, 0, work, 0))
    pthread_join(thread, 0);
  CHECK(pthread_key_delete(more) == 0);
  CHECK(pthread_setspecific(second, 0) == 0);
  fprintf(out, "%d %d\n", destroyed, runs);
}
