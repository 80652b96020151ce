/* spawn N PROGRAM... - runs the programs in turn, N times each, without arguments, and prints how many
 * nanoseconds each run took from fork to the end: one column per program. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static long long now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long run(char *program)
{
  char *argv[] = {program, NULL};
  const long long start = now();
  pid_t pid;
  int status;
  if (posix_spawn(&pid, program, NULL, NULL, argv, argv + 1) || waitpid(pid, &status, 0) != pid ||
      status) {
    fprintf(stderr, "spawn: %s failed\n", program);
    exit(1);
  }
  return now() - start;
}

int main(int argc, char **argv)
{
  for (int n = argc > 1 ? atoi(argv[1]) : 0; n > 0; n--)
    for (int i = 2; i < argc; i++)
      printf("%lld%c", run(argv[i]), i + 1 < argc ? ' ' : '\n');
  return 0;
}
