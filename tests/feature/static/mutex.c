/* What is kept of the thread in a program without thread-local variables: a mutex of musl knows the thread after it
 * was unlocked. */
// linked with: -Wl,-u,urf_tls
#include <pthread.h>

#include "common.h"

static pthread_mutex_t *mutex;
static pthread_t self;

int boot(void)
{
  pthread_mutexattr_t recursive;
  pthread_mutexattr_init(&recursive);
  pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
  mutex = malloc(sizeof *mutex);
  self = pthread_self();
  return pthread_mutex_init(mutex, &recursive) || pthread_mutex_lock(mutex) ||
         pthread_mutex_unlock(mutex);
}

int use(void)
{
  CHECK(pthread_equal(self, pthread_self()));
  CHECK(!pthread_mutex_lock(mutex) && !pthread_mutex_lock(mutex));
  CHECK(!pthread_mutex_unlock(mutex) && !pthread_mutex_unlock(mutex));
  return pthread_mutex_unlock(mutex) == 0;
}
