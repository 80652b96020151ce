/* Threads that allocate, and children of a process that has some. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

enum { N = 64 };
static char *shared[N];
static _Thread_local int own = 4;
static _Thread_local _Alignas(64) char aligned[100];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int boot(void)
{
  for (int i = 0; i < N; i++)
    shared[i] = malloc(100 + i);
  return 0;
}

static void *work(void *arg)
{
  unsigned n = (unsigned)(intptr_t)arg;
  char *volatile at = aligned; /* the compiler knows what it ought to be */
  CHECK((uintptr_t)at % 64 == 0);
  own += (int)n;
  for (int i = 0; i < 20000; i++) {
    n = n * 1103515245 + 12345;
    const size_t size = (n >> 8) % (i % 100 ? 2000 : 200000) + 1; /* clearing that takes a while */
    char *p = malloc(size);
    memset(p, (int)n, size);
    if (i % 10 == 0) {
      pthread_mutex_lock(&mutex);
      free(shared[n >> 16 & (N - 1)]);
      shared[n >> 16 & (N - 1)] = malloc(size);
      pthread_mutex_unlock(&mutex);
    }
    free(p);
  }
  return (void *)(intptr_t)own;
}

int use(void)
{
  pthread_t threads[4];
  intptr_t sum = 0;
  int status;
  for (intptr_t i = 0; i < 4; i++)
    CHECK(!pthread_create(&threads[i], NULL, work, (void *)(i + 1)));
  for (int i = 0; i < 50; i++) {
    const pid_t pid = fork();
    if (!pid) {
      void *volatile p = malloc(300);
      free(p);
      _exit(3);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  }
  for (int i = 0; i < 4; i++) {
    void *result;
    CHECK(!pthread_join(threads[i], &result));
    sum += (intptr_t)result;
  }
  printf("%d %d\n", (int)sum, own);
  return 0;
}
