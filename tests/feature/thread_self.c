// The identity of the thread that ran init becomes that of the thread that loads the library.
#include <pthread.h>

#include "feature.h"

static struct {
  pthread_t owner, *heap;
} lock;

int urf_init(void)
{
  lock.owner = pthread_self();
  lock.heap = malloc(sizeof *lock.heap);
  *lock.heap = pthread_self();
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %d\n", pthread_equal(lock.owner, *lock.heap) != 0,
          pthread_equal(lock.owner, pthread_self()) != 0);
}
