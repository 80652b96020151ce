// Locks and once-only initialisation that init has used are usable afterwards.
// ldflags: -pthread
#include <pthread.h>

#include "feature.h"

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, recursive;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int times, turns;

static void only_once(void)
{
  times++;
}

/* musl leaves a pointer to the thread in a recursive mutex that is unlocked: turf refuses that. */
#ifdef __GLIBC__
enum { LOCKS_RECURSIVE = 1 };
#else
enum { LOCKS_RECURSIVE = 0 };
#endif

int urf_init(void)
{
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&recursive, &attr);
  if (LOCKS_RECURSIVE) {
    CHECK(!pthread_mutex_lock(&recursive) && !pthread_mutex_lock(&recursive));
    CHECK(!pthread_mutex_unlock(&recursive) && !pthread_mutex_unlock(&recursive));
  }
  CHECK(!pthread_mutex_lock(&plain) && !pthread_mutex_unlock(&plain));
  CHECK(!pthread_rwlock_rdlock(&rw) && !pthread_rwlock_unlock(&rw));
  CHECK(!pthread_rwlock_wrlock(&rw) && !pthread_rwlock_unlock(&rw));
  CHECK(!pthread_once(&once, only_once) && !pthread_once(&once, only_once));
  CHECK(!pthread_cond_signal(&cond));
  return 0;
}

static void *work(void *unused)
{
  for (int i = 0; i < 1000; i++) {
    pthread_once(&once, only_once);
    pthread_mutex_lock(&plain);
    turns++;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&plain);
    CHECK(!pthread_mutex_lock(&recursive) && !pthread_mutex_lock(&recursive));
    CHECK(!pthread_mutex_unlock(&recursive) && !pthread_mutex_unlock(&recursive));
    CHECK(!pthread_rwlock_wrlock(&rw) && !pthread_rwlock_unlock(&rw));
  }
  return unused;
}

void answer(FILE *out)
{
  pthread_t id[3];
  turns = 0;
  for (int i = 0; i < 3; i++)
    CHECK(!pthread_create(&id[i], 0, work, 0));
  pthread_mutex_lock(&plain);
  while (turns < 3000)
    pthread_cond_wait(&cond, &plain);
  pthread_mutex_unlock(&plain);
  for (int i = 0; i < 3; i++)
    pthread_join(id[i], 0);
  fprintf(out, "%d %d\n", times, turns);
  tell_wrong(out);
}
