#!/bin/sh
# What init changes outside the library is named and refused, kind by kind; a policy accepts it.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >library.c <<'END'
#include <dlfcn.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
static int done;
int urf_init(void) { return done++; }
int open_file(void) { return open("/dev/null", O_RDONLY) < 0; }
int close_input(void) { return close(0); }
int load(void) { return !dlopen(OTHER, RTLD_NOW); }
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
int tidy(void) { int fd = open("/dev/null", O_RDONLY); return fd < 0 || close(fd); }
END
echo 'int other;' >other.c
build_plain other.so other.c
build_lib b.so library.c -- "-DOTHER=\"$WORK/other.so\""
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
changes cwd "cwd /tmp" go
changes umask "umask 777" mask
[ $LIBC = musl ] || changes locale "C.UTF-8" speak
changes blocked "blocked signals 200" block
changes rlimit "4096 4096" limit
changes timer "timer 0" tick
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
