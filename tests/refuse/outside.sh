#!/bin/sh
# What init changes outside the library is named and refused, kind by kind; a policy accepts it.
# configs: gcc-bfd-glibc gcc-lld-musl
# timeout: 400
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >library.c <<'END'
#include <dlfcn.h>
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
static int done;
int urf_init(void) { return done++; }
int open_file(void) { return open("/dev/null", O_RDONLY) < 0; }
int close_input(void) { return close(0); }
int load(void) { return !dlopen(OTHER, RTLD_NOW); }
int clear(void) { return clearenv(); }
int unlock(void) { return __fsetlocking(stdout, FSETLOCKING_BYCALLER) < 0; }
int set(void) { return setenv("URF_TEST", "two\nlines", 1); }
int go(void) { return chdir("/tmp"); }
int mask(void) { umask(0777); return 0; }
int speak(void) { return !setlocale(LC_ALL, "C.UTF-8"); }
int block(void)
{
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  return sigprocmask(SIG_BLOCK, &set, 0);
}
int limit(void)
{
  struct rlimit l;
  getrlimit(RLIMIT_CORE, &l);
  l.rlim_cur = l.rlim_max = 4096;
  return setrlimit(RLIMIT_CORE, &l);
}
int tick(void)
{
  struct itimerval later = {{0, 0}, {1000, 0}};
  return setitimer(ITIMER_REAL, &later, 0);
}
int tick_posix(void)
{
  struct sigevent nothing = {.sigev_notify = SIGEV_NONE};
  timer_t t;
  return timer_create(CLOCK_MONOTONIC, &nothing, &t);
}
int print(void) { return printf("12345") != 5; }
int print_wide(void) { return wprintf(L"wide") != 4 || fflush(stdout); }
int unbuffer(void) { return setvbuf(stdout, 0, _IONBF, 0); }
int by_line(void) { return setvbuf(stdout, 0, _IOLBF, 0); }
int buffer(void) { static char own[1032]; return setvbuf(stdout, own, _IOFBF, sizeof own); }
int at_end(void) { return getchar() != EOF; }
int zone(void)
{
  setenv("TZ", "ABC5", 1);
  tzset();
  return unsetenv("TZ");
}
int up(void) { return fesetround(FE_UPWARD); }
int call_it(void) { return prctl(PR_SET_NAME, "another"); }
int lower(void) { return nice(3) != 3; }
int one_cpu(void)
{
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(sched_getcpu(), &set);
  return sched_setaffinity(0, sizeof set, &set);
}
int raise_later(void) { return block() || raise(SIGUSR1); }
int no_cancel(void) { return pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, 0); }
int reap(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1); }
int drop(void) { return prctl(PR_CAPBSET_DROP, 22); }
int move(void) { return unshare(CLONE_NEWUTS); }
int speak_here(void)
{
  locale_t l = newlocale(LC_ALL_MASK, "C.UTF-8", 0);
  return !l || !uselocale(l);
}
int filter(void)
{
  /* linux/filter.h, linux/seccomp.h: all calls are allowed */
  struct { unsigned short code; unsigned char jt, jf; unsigned k; } allow = {6, 0, 0, 0x7fff0000};
  struct { unsigned short n; void *code; } program = {1, &allow};
  return prctl(PR_SET_SECCOMP, 2, &program);
}
static void *shared;
int share(void)
{
  int id = shmget(IPC_PRIVATE, 4096, 0600);
  shared = shmat(id, 0, 0);
  return shmctl(id, IPC_RMID, 0) || shared == (void *)-1;
}
static int later(void) { return shared == 0; }
int (*keep)(void) = later;
static void *sleeper(void *arg) { pause(); return arg; }
int start(void) { pthread_t t; return pthread_create(&t, 0, sleeper, 0); }
int tidy(void) { int fd = open("/dev/null", O_RDONLY); return fd < 0 || close(fd); }
END
echo 'int other;' >other.c
build_plain other.so other.c
build_lib b.so library.c -- -pthread -lm "-DOTHER=\"$WORK/other.so\""
changes() { # KIND TEXT INIT
  expect_refusal 1 "$2" "$TURF" freeze b.so -o "$OUT" --init urf_init --init $3
  sed -n 's/^    \([a-z]*:[^ ]* keep\) REASON$/\1 the test wants it/p' "$WORK/stderr" >policy
  grep -q "^process:$1 " policy || fail "it does not say how to accept it"
  freeze b.so c.so --init urf_init --init $3 --policy policy
}
changes fd "now: fd 3 /dev/null" open_file
changes fd "before: fd 0 /dev/null" close_input
changes module other.so load
changes environment "URF_TEST=two lines" set
changes environment "environment is cleared" clear
changes cwd "cwd /tmp" go
changes umask "umask 777" mask
[ $LIBC = musl ] || changes locale "C.UTF-8" speak
changes blocked "blocked signals 200" block
changes rlimit "4096 4096" limit
changes timer "timer 0" tick
changes timer "timer ID" tick_posix
changes stream "stdout: 5 bytes to write" print
changes stream "wide" print_wide
changes stream "stream stdout" unbuffer
changes stream "stream stdout" by_line
changes stream "stream stdout" buffer
[ $LIBC = musl ] || changes stream "without locks" unlock
changes stream "stdin: 0 bytes to write, end of file" at_end
changes float "float control" up
changes name "Name:	another" call_it
changes priority "nice 3" lower
[ "$(nproc)" = 1 ] || changes affinity "Cpus_allowed:" one_cpu
changes cancel "cancel disabled" no_cancel
changes prctl "prctl" reap
changes seccomp "Seccomp_filters:" filter
changes locale "locale of the thread" speak_here
[ $LIBC = musl ] || changes timezone "ABC" zone # musl asks TZ again each time
if [ "$(id -u)" = 0 ]; then
  changes credentials "CapBnd:" drop
  changes namespace "uts:" move
fi
expect_refusal 1 "process:pending keep" "$TURF" freeze b.so -o "$OUT" --init raise_later
expect_refusal 1 "1 thread is still running" "$TURF" freeze b.so -o "$OUT" --init start
expect_refusal 1 "SYSV" "$TURF" freeze b.so -o "$OUT" --init share
freeze b.so c.so --init urf_init --init tidy

# all at once, and what --suggest prints for them
expect_refusal 1 "3 things" "$TURF" freeze b.so -o "$OUT" --init open_file --init go --init mask
"$TURF" check --suggest b.so --init open_file --init go >policy 2>/dev/null || :
sed 's/REASON$/the test wants it/' policy >reasoned
freeze b.so c.so --init open_file --init go --policy reasoned
echo "process:cwd keep there is none" >unused
expect_refusal 1 "unused:1" "$TURF" freeze b.so -o "$OUT" --policy unused
echo "process:weather keep there is none" >unknown
expect_refusal 1 "unknown:1" "$TURF" freeze b.so -o "$OUT" --policy unknown
echo "process:cwd zero there is none" >zero
expect_refusal 1 "zero:1" "$TURF" freeze b.so -o "$OUT" --policy zero
