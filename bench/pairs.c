/* pairs [-n PAIRS] [-c CPU] A.so B.so - what two libraries need for the work of allocations.c, in turns: for each
 * pair a line with the nanoseconds of A, those of B, and the name of the work. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct library {
  const char *(*name)(unsigned kind);
  uintptr_t (*work)(unsigned kind, unsigned rounds);
};

enum { SAMPLE_MS = 2 };

static _Noreturn void die(const char *what)
{
  fprintf(stderr, "pairs: %s\n", what);
  exit(1);
}

static struct library load(const char *path)
{
  struct library lib;
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    die(dlerror());
  *(void **)&lib.name = dlsym(handle, "work_name");
  *(void **)&lib.work = dlsym(handle, "work");
  if (!lib.name || !lib.work)
    die("no library of allocations.c");
  return lib;
}

static double seconds(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double measure(const struct library *lib, unsigned kind, unsigned rounds)
{
  const double start = seconds();
  (void)lib->work(kind, rounds);
  return seconds() - start;
}

int main(int argc, char **argv)
{
  unsigned n = 200;
  int option, cpu = 0;
  while ((option = getopt(argc, argv, "n:c:")) != -1)
    if (option == 'n')
      n = (unsigned)atoi(optarg);
    else if (option == 'c')
      cpu = atoi(optarg);
    else
      return 2;
  if (argc - optind != 2 || n < 1 || n > 10000)
    return 2;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  (void)sched_setaffinity(0, sizeof one, &one);
  const struct library a = load(argv[optind]), b = load(argv[optind + 1]);
  for (unsigned kind = 0; a.name(kind); kind++) {
    unsigned rounds = 1;
    while (measure(&a, kind, rounds) < SAMPLE_MS * 1e-3)
      rounds *= 2;
    (void)measure(&b, kind, rounds);
    for (unsigned i = 0; i < n; i++) {
      double first = measure(i % 2 ? &b : &a, kind, rounds);
      double second = measure(i % 2 ? &a : &b, kind, rounds);
      printf("%.0f %.0f %s\n", (i % 2 ? second : first) * 1e9, (i % 2 ? first : second) * 1e9,
             a.name(kind));
    }
  }
  return 0;
}
