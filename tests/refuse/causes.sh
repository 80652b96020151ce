#!/bin/sh
# What varies with one thing is found by varying that: the time itself and ids of processes are frozen with
# a warning, what has been made of them, and all that is random, is refused.
# configs: gcc-bfd-glibc gcc-lld-musl
# timeout: 300
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

# library NAME DECLARATION STATEMENT: its init runs the statement, which sets what was declared
library() {
  cat >"$1.c" <<END
#include "feature.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static inline long uptime(void) { struct sysinfo s; return sysinfo(&s) ? 0 : s.uptime; }
static inline void *ask(void *p) { *(long *)p = getppid(); return p; }
static inline long parent(void)
{
  pthread_t thread;
  long n = 0;
  return pthread_create(&thread, 0, ask, &n) || pthread_join(thread, 0) ? 0 : n;
}
static inline struct timespec at(clockid_t id)
{
  struct timespec t;
  clock_gettime(id, &t);
  return t;
}
static inline struct timeval day(void) { struct timeval t; gettimeofday(&t, 0); return t; }
static inline double date(void) { struct timeval t = day(); return t.tv_sec + t.tv_usec / 1e6; }
static inline unsigned device(const char *name)
{
  unsigned n = 0;
  int fd = open(name, O_RDONLY);
  if (read(fd, &n, sizeof n) != sizeof n)
    abort();
  close(fd);
  return n;
}
static inline unsigned stream(const char *name)
{
  unsigned n[2] = {0};
  FILE *f = fopen(name, "r");
  if (!f || fread(n, sizeof n, 1, f) != 1)
    abort();
  fclose(f);
  return n[1];
}
static inline unsigned pieces(const char *name)
{
  unsigned n = 0, m = 0;
  struct iovec to[] = {{&n, sizeof n}, {&m, 2}, {0, 0}, {(char *)&m + 2, 2}};
  int fd = open(name, O_RDONLY);
  if (readv(fd, to, 4) != 8 || preadv(fd, to, 4, 0) != 8)
    abort();
  close(fd);
  return m ^ n;
}
static inline unsigned counter(void) { unsigned a, d; __asm__ volatile("rdtsc" : "=a"(a), "=d"(d)); return a; }
$2;
int urf_init(void) { $3; return 0; }
void answer(FILE *out) { fwrite(&it, 1, sizeof it, out); }
END
  build_lib "$1.so" "$1.c" -- -g
}

# passes CAUSE DECLARATION STATEMENT: frozen and verified, with a warning
passes() {
  library passes "$2" "$3"
  freeze passes.so frozen.so 2>stderr || fail "$3"
  cat stderr
  grep -q "warning: it+.* is the $1" stderr || fail "no warning: $3"
  "$TURF" verify frozen.so || fail "cannot be verified: $3"
}

# refused CAUSE DECLARATION STATEMENT
refused() {
  library refused "$2" "$3"
  : >"$WORK/number"
  expect_refusal 1 "varies with $1" "$TURF" freeze refused.so -o "$OUT"
  grep -q '^it ' stderr || fail "the message does not name the variable: $3"
}

passes time 'long it' 'it = time(0)'
passes time 'int it' 'it = time(0) / 3600'
passes time 'long it' 'it = uptime()'
passes time 'struct timespec it' 'it = at(CLOCK_MONOTONIC)'
passes time 'struct timespec it' 'it = at(CLOCK_REALTIME_COARSE)'
passes time 'struct timeval it' 'it = day()'
passes time 'long it' 'struct timespec t = at(CLOCK_BOOTTIME); it = t.tv_sec * 1000000L + t.tv_nsec / 1000'
passes time 'double it' 'it = date()'
passes time 'char it[40]' 'time_t t = time(0); strftime(it, sizeof it, "%F %T", gmtime(&t))'
passes time 'struct tm it' 'time_t t = time(0); gmtime_r(&t, &it); it.tm_zone = 0'
passes 'CPU time' 'clock_t it' 'it = clock()'
passes 'CPU time' 'struct timespec it' 'it = at(CLOCK_THREAD_CPUTIME_ID)'
passes id 'int it' 'it = getpid()'
passes id 'long it' 'it = getppid()'
passes id 'long it' 'it = parent()'
passes id 'int it[3]' 'it[0] = getsid(0), it[1] = syscall(SYS_gettid), it[2] = getpgrp()'
passes id 'char it[40]' 'snprintf(it, sizeof it, "/run/x.%d.pid", getpid())'

refused 'the time' 'unsigned it' 'it = time(0) * 1103515245u + 12345'
refused 'the time' 'unsigned it' 'it = (unsigned)at(CLOCK_MONOTONIC).tv_nsec * 2654435761u'
refused 'the time' 'int it[5]' 'srand(time(0)); for (int i = 0; i < 5; i++) it[i] = rand()'
refused 'the CPU time' 'long it' 'it = clock() * 1103515245u + 12345'
refused 'the time and the CPU time' 'long it' 'it = clock() ^ time(0)'
refused 'the process id' 'unsigned it' 'it = getpid() * 1103515245u + 12345'
refused 'the time and the process id' 'long it' 'it = (long)time(0) ^ (long)getpid() << 16'
refused 'random numbers' 'long it' 'if (getrandom(&it, sizeof it, 0) != sizeof it) abort()'
refused 'random numbers' 'unsigned it' 'it = device("/dev/urandom")'
refused 'random numbers' 'unsigned it' 'it = device("/dev/random") & 0xffffff'
refused 'random numbers' 'unsigned it' 'it = stream("/dev/urandom")'
refused 'random numbers' 'unsigned it' 'it = pieces("/dev/urandom")'
refused 'random numbers' 'long it' 'memcpy(&it, (void *)getauxval(AT_RANDOM), sizeof it)'
refused "the processor's time stamp counter" 'unsigned it' 'it = counter()'
refused 'what turf cannot hold still' 'unsigned it' \
  'it = device("/proc/sys/kernel/random/uuid")'
refused addresses 'unsigned it' 'it = (unsigned)((uintptr_t)&it >> 22) * 2654435761u'

# a file that earlier runs have written
refused 'nothing that turf has varied' 'int it' "
  FILE *f = fopen(\"$WORK/number\", \"a+\");
  fseek(f, 0, SEEK_END), it = (int)ftell(f);
  if (it < 3) fputc('x', f);
  fclose(f)"
rm -f number

# processes that are told ids of nobody get along with them: signals, children, waiting
refused 'random numbers' 'unsigned it; static volatile sig_atomic_t hits;
static void hit(int signal) { (void)signal, hits++; }' '
  signal(SIGUSR1, hit);
  raise(SIGUSR1), kill(getpid(), SIGUSR1), pthread_kill(pthread_self(), SIGUSR1);
  pid_t me = getpid(), child = fork();
  if (!child) { kill(me, SIGUSR1); _exit(getppid() == me ? 3 : 4); }
  int status;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) abort();
  if (hits != 4) abort();
  signal(SIGUSR1, SIG_DFL);
  hits = 0, it = device("/dev/urandom")'

# the time it takes and the time that is told fit each other
refused 'random numbers' 'unsigned it' '
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t c = PTHREAD_COND_INITIALIZER;
  struct timespec t = at(CLOCK_REALTIME);
  t.tv_nsec += 30000000, t.tv_sec += t.tv_nsec / 1000000000, t.tv_nsec %= 1000000000;
  pthread_mutex_lock(&m);
  while (!pthread_cond_timedwait(&c, &m, &t))
    ;
  struct timespec n = at(CLOCK_REALTIME);
  if (n.tv_sec > t.tv_sec + 20) abort();
  pthread_mutex_unlock(&m);
  it = device("/dev/urandom")'

# a policy is above it
library policy 'long it' 'it = time(0)'
echo 'it zero set at first use' >zero
freeze policy.so frozen.so --policy zero 2>stderr
! grep -q "is the time" stderr || fail "a warning for what a policy clears"

# environment and working directory are the same in all runs: what would be another in others is told
library around 'char it[40]; static char *home' 'getcwd(it, sizeof it); home = getenv("HOME");
  home = home ? strdup(home) : NULL'
freeze around.so frozen.so 2>stderr
cat stderr
grep -q 'with the environment (home+0' stderr || fail "the environment is not warned of"
grep -q 'with the working directory (it+0 .*right for /$' stderr || fail "the directory is not warned of"
freeze around.so frozen.so --env HOME=/x --cwd /usr 2>stderr
cat stderr
! grep -q 'environment' stderr || fail "a warning of what --env names"
grep -q 'with the working directory (it+0 .*right for /usr$' stderr || fail "no warning of the directory"
# a block that comes and goes there: those after it lie elsewhere, which is all
chain='struct node { struct node *next; char *name; long n; };
  static void more(struct node **list, long n) {
    struct node *it = malloc(sizeof *it); *it = (struct node){*list, NULL, n}; *list = it; }'
library around "$chain static struct node *list, *it; char *end" 'if (getenv("HOME")) free(strdup("it is"));
  for (long i = 0; i < 300; i++) more(&list, i);
  it = list->next->next, end = malloc(64), end += 64'
freeze around.so frozen.so 2>stderr
cat stderr
! grep -q 'environment' stderr || fail "a warning of where the heap has its blocks"
library around "$chain static struct node *it" 'char *home = getenv("HOME");
  if (home) free(strdup(home));
  for (long i = 0; i < 300; i++) more(&it, i == 200 && home ? -i : i);
  if (home) it->next->name = strdup(home)'
freeze around.so frozen.so 2>stderr
cat stderr
grep -q ' 2 words vary with the environment (allocation ' stderr || fail "what the heap holds is not warned of"
library around "$chain static struct node *it, *other" 'char *home = getenv("HOME");
  more(&it, 1), more(&it, 1), other = home ? it->next : it'
freeze around.so frozen.so 2>stderr
cat stderr
grep -q ' with the environment (' stderr || fail "another block of two is not warned of"
library around 'int it; static char *made' 'time_t now = time(0); it = gmtime(&now)->tm_year;
  made = malloc(20); strftime(made, 20, "%A", gmtime(&now))'
freeze around.so frozen.so 2>stderr
cat stderr
grep -q 'vary with the date (it+0' stderr || fail "the date is not warned of"
library around 'int it' 'if (getenv("HOME")) exit(3); it = 7'
freeze around.so frozen.so 2>stderr
cat stderr
grep -q 'does not succeed with every environment' stderr || fail "a failing init is not warned of"
! grep -q 'working directory' stderr || fail "a warning of the directory"
