// Waits up to a point in time, times of files and parents of children agree with the clocks and
// process ids that init sees.
// cflags: -pthread
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "feature.h"

static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int ready, early, results[8];
static struct timespec shared;

/* Several threads wait up to one point in time. */
static void *wait_for_shared(void *end)
{
  struct timespec now;
  sem_t never;
  sem_init(&never, 0, 0);
  sem_timedwait(&never, &shared);
  clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec < *(time_t *)end)
    early = 1;
  return 0;
}

static struct timespec after(clockid_t clock, long ms)
{
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_nsec += ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

static void *work(void *p)
{
  usleep(30000);
  sem_post(&semaphore);
  usleep(30000); /* the other one shall wait for this, too */
  pthread_mutex_lock(&mutex);
  ready = 1;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&mutex);
  return p;
}

static long since(const struct timespec *start)
{
  struct timespec now = after(CLOCK_MONOTONIC, 0);
  return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

int urf_init(void)
{
  pthread_t thread;
  struct timespec soon, start;
  struct stat st;
  sem_init(&semaphore, 0, 0);
  pthread_create(&thread, 0, work, 0);
  soon = after(CLOCK_REALTIME, 5000);
  results[0] = sem_timedwait(&semaphore, &soon);
  pthread_mutex_lock(&mutex);
  soon = after(CLOCK_REALTIME, 5000);
  while (!ready && !results[1])
    results[1] = pthread_cond_timedwait(&condition, &mutex, &soon);
  pthread_mutex_unlock(&mutex);
  pthread_join(thread, 0);

  start = after(CLOCK_MONOTONIC, 0);
  pthread_mutex_lock(&held);
  soon = after(CLOCK_REALTIME, 30);
  results[2] = pthread_mutex_timedlock(&held, &soon) == ETIMEDOUT && since(&start) >= 30;
  pthread_mutex_unlock(&held);
  start = after(CLOCK_MONOTONIC, 0);
  soon = after(CLOCK_MONOTONIC, 30);
  results[3] = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &soon, 0) == 0;
  CHECK(since(&start) >= 29 && since(&start) < 3000);

  int fd = timerfd_create(CLOCK_REALTIME, 0);
  start = after(CLOCK_MONOTONIC, 0);
  struct itimerspec timer = {{0, 0}, after(CLOCK_REALTIME, 30)};
  uint64_t n = 0;
  CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &timer, 0) == 0);
  results[4] = read(fd, &n, sizeof n) == sizeof n && n == 1;
  CHECK(since(&start) >= 29 && since(&start) < 3000);
  close(fd);

  pthread_t threads[2];
  shared = after(CLOCK_REALTIME, 1100);
  time_t end = shared.tv_sec;
  for (int i = 0; i < 2; i++)
    pthread_create(&threads[i], 0, wait_for_shared, &end);
  for (int i = 0; i < 2; i++)
    pthread_join(threads[i], 0);
  CHECK(shared.tv_sec == end && !early);
  memset(&shared, 0, sizeof shared);

  char name[] = "/tmp/turf-time-XXXXXX";
  fd = mkstemp(name);
  results[5] = fd >= 0 && write(fd, "x", 1) == 1 && fstat(fd, &st) == 0 &&
               st.st_mtime <= after(CLOCK_REALTIME, 0).tv_sec &&
               st.st_mtime <= time(0) + 1; /* which is behind by a tick */
  unlink(name);
  close(fd);

  pid_t self = getpid(), child = fork();
  int status = 0;
  if (!child)
    _exit(getppid() == self ? 0 : 3);
  waitpid(child, &status, 0);
  results[6] = WEXITSTATUS(status);
  struct timespec last = after(CLOCK_MONOTONIC, 0), now;
  for (int i = 0; i < 1000; i++, last = now) {
    now = after(CLOCK_MONOTONIC, 0);
    results[7] |=
        now.tv_sec < last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec < last.tv_nsec);
  }
  return 0;
}

void answer(FILE *out)
{
  for (int i = 0; i < 8; i++)
    fprintf(out, "%d ", results[i]);
  fprintf(out, "\n");
  tell_wrong(out);
}
