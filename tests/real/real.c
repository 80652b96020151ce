/* real [-n N] [-t] LIBRARY STEPS - load a library and call what STEPS names, in its order:
 *   i urf_init   a answer   m mutate   f finish   r fresh   s suite
 * Answers go to stdout.  -t prints to stderr the nanoseconds of load, of init and of the other
 * steps, and the address; -n does it all N times, with dlclose between. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *symbol(void *library, const char *name)
{
  void *address = dlsym(library, name);

  if (!address) {
    fprintf(stderr, "real: %s\n", dlerror());
    exit(1);
  }
  return address;
}

/* Returns the nanoseconds it took. */
static long long step(void *library, char what)
{
  static const char letters[] = "iamfrs";
  static const char *const names[] = {"urf_init", "answer", "mutate", "finish", "fresh", "suite"};
  const char *letter = strchr(letters, what);
  union {
    void *address;
    int (*init)(void);
    void (*print)(FILE *);
  } f;
  long long start;

  if (!letter) {
    fprintf(stderr, "real: no such step: %c\n", what);
    exit(2);
  }
  f.address = symbol(library, names[letter - letters]);
  start = now();
  if (what != 'i')
    f.print(stdout);
  else if (f.init()) {
    fprintf(stderr, "real: urf_init failed\n");
    exit(1);
  }
  return now() - start;
}

int main(int argc, char **argv)
{
  int option, times = 1, timing = 0;

  while ((option = getopt(argc, argv, "n:t")) != -1)
    switch (option) {
    case 'n': times = atoi(optarg); break;
    case 't': timing = 1; break;
    default: return 2;
    }
  if (argc - optind != 2) {
    fprintf(stderr, "usage: real [-n N] [-t] LIBRARY STEPS\n");
    return 2;
  }
  while (times-- > 0) {
    long long start = now(), load, init = 0, rest = 0;
    void *library = dlopen(argv[optind], RTLD_NOW | RTLD_LOCAL);
    Dl_info info;

    load = now() - start;
    if (!library) {
      fprintf(stderr, "real: %s\n", dlerror());
      return 1;
    }
    for (const char *s = argv[optind + 1]; *s; s++)
      *(*s == 'i' ? &init : &rest) += step(library, *s);
    if (timing && dladdr(symbol(library, "urf_init"), &info))
      fprintf(stderr, "load %lld init %lld rest %lld at %p\n", load, init, rest, info.dli_fbase);
    if (dlclose(library)) {
      fprintf(stderr, "real: %s\n", dlerror());
      return 1;
    }
  }
  return fflush(stdout) ? 1 : 0;
}
