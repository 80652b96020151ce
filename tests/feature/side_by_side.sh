#!/bin/sh
# Processes that run init at the same time: one fails while another is at it; each has its own time, parent and
# mappings, and so have children of theirs that leave the session; a time limit is for each.
# configs: gcc-bfd-glibc gcc-lld-musl
# timeout: 300
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >alone.c <<'END'
#include "feature.h"
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
static char *text;
int urf_init(void)
{
  const struct timespec pause = {0, 300000000};
  int fd = open("lock", O_CREAT | O_EXCL, 0600);
  if (fd < 0)
    return 1;
  close(fd);
  nanosleep(&pause, 0);
  text = strdup("alone");
  return unlink("lock");
}
void answer(FILE *out) { fprintf(out, "%s\n", text); }
END
build_lib alone.so alone.c
run "$TURF" freeze --cwd "$PWD" --runs 5 alone.so -o out.so
[ ! -e lock ] || fail "a process has not come to its end"

# what a process and its children see is theirs: it is the same at each step
cat >children.c <<'END'
#include "feature.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static void *blocks[40];
static int wrong;
static int child(int number, int parent, time_t now)
{
  if (number % 2 && setsid() < 0)
    return 1;
  for (int i = 0; i < 50; i++) {
    void *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const time_t then = time(0);
    if (p == MAP_FAILED || getppid() != parent || then < now || then > now + 100)
      return 1;
  }
  return 0;
}
int urf_init(void)
{
  const int parent = getppid();
  const time_t now = time(0);
  FILE *f = fopen(WHERE "/count", "a");
  if (!f || fputs("init\n", f) < 0 || fclose(f))
    return -1;
  for (int i = 0; i < 40; i++) {
    int status = 1, pid = fork();
    if (!pid)
      _exit(child(i, getppid(), now));
    blocks[i] = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
      wrong++;
    *(void **)blocks[i] = blocks;
    if (getppid() != parent || time(0) < now || time(0) > now + 100)
      wrong++;
  }
  return wrong;
}
void answer(FILE *out) { fprintf(out, "%d %d\n", wrong, *(void **)blocks[39] == blocks); }
END
build_lib children.so children.c -- "-DWHERE=\"$WORK\""
run "$TURF" freeze --runs 5 children.so -o out.so
# one that teaches, the runs, the proof, three that look around, the way back: none had to be repeated
[ "$(wc -l <count)" -eq 11 ] || fail "init has run $(wc -l <count) times"

cat >slow.c <<'END'
#include <time.h>
int urf_init(void)
{
  const struct timespec pause = {2, 0};
  return nanosleep(&pause, 0);
}
END
build_lib slow.so slow.c
run "$TURF" freeze --time-limit 4 --runs 5 slow.so -o out.so
