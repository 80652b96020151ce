/* load [-cdiw] [-p FROM-TO] [-r FUNCTION] LIBRARY - load a library, and print what that took, as NAME NUMBER
 * on one line each.  load, the nanoseconds of dlopen, and faults, the page faults that it had, are always there.
 *
 *   -d  first have the kernel forget what it holds of the file: cold, pages that it kept (should be 0)
 *   -i  call urf_init: init, nanoseconds
 *   -r  call that function, an int f(void): run, nanoseconds
 *   -p  pages of the library that are private to the process, from link-time address FROM to TO: written
 *   -c  hold the library's words against pattern.h: checked, how many
 *   -w  wait for the end of standard input */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pattern.h"

static long long now(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what, const char *why)
{
  fprintf(stderr, "load: %s: %s\n", what, why);
  exit(1);
}

/* mincore(2): how many of the file's pages are in memory. */
static uint64_t count_cached(int fd, size_t size)
{
  const size_t pages = (size + PAGE - 1) / PAGE;
  unsigned char *cached = malloc(pages);
  void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  uint64_t n = 0;

  if (!cached || at == MAP_FAILED || mincore(at, size, cached))
    die("mincore", strerror(errno));
  for (size_t i = 0; i < pages; i++)
    n += cached[i] & 1;
  munmap(at, size);
  free(cached);
  return n;
}

static void forget(const char *path)
{
  struct stat s;
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  if (fd < 0 || fstat(fd, &s) || fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
    die(path, strerror(errno));
  printf("cold %" PRIu64 "\n", count_cached(fd, (size_t)s.st_size));
  fflush(stdout);
  close(fd);
}

/* In a child: this process shall not have touched the file. */
static void forget_in_child(const char *path)
{
  int status;
  pid_t child = fork();

  if (!child) {
    forget(path);
    _exit(0);
  }
  if (child < 0 || waitpid(child, &status, 0) != child || status)
    die(path, "cannot be dropped from memory");
}

static long long call(void *library, const char *function)
{
  union {
    void *address;
    int (*call)(void);
  } f = {dlsym(library, function)};
  long long start;

  if (!f.address)
    die(function, dlerror());
  start = now();
  if (f.call())
    die(function, "failed");
  return now() - start;
}

/* /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst): bit 63 says that a page is present, bit 61
 * that it is one of a file. */
static uint64_t count_private(uintptr_t from, uintptr_t to)
{
  int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  uint64_t entries[PAGE_WORDS], n = 0;

  if (fd < 0)
    die("/proc/self/pagemap", strerror(errno));
  for (uintptr_t page = from / PAGE; page < (to + PAGE - 1) / PAGE;) {
    uintptr_t left = (to + PAGE - 1) / PAGE - page;
    ssize_t got = pread(fd, entries, (left < PAGE_WORDS ? left : PAGE_WORDS) * sizeof *entries,
                        (off_t)(page * sizeof *entries));

    if (got <= 0)
      die("/proc/self/pagemap", strerror(errno));
    for (size_t i = 0; i < (size_t)got / sizeof *entries; i++)
      n += entries[i] >> 63 && !(entries[i] >> 61 & 1);
    page += (size_t)got / sizeof *entries;
  }
  close(fd);
  return n;
}

static void print_private(void *library, const char *range)
{
  struct link_map *map = NULL;
  char *end;
  uintptr_t from = strtoull(range, &end, 0), to = *end == '-' ? strtoull(end + 1, NULL, 0) : 0;

  if (to <= from || dlinfo(library, RTLD_DI_LINKMAP, &map))
    die(range, "no range of addresses");
  printf("bias %" PRIu64 "\nwritten %" PRIu64 "\n", (uint64_t)map->l_addr,
         count_private(from + map->l_addr, to + map->l_addr));
}

static void check(void *library)
{
  const struct image *image = dlsym(library, "image");

  if (!image)
    die("image", dlerror());
  for (uint64_t i = 0; i < image->n; i++)
    if (image->words[i] != pattern(image->every, image->n, i, (uintptr_t)image->words)) {
      fprintf(stderr, "load: word %" PRIu64 " of %" PRIu64 " is wrong\n", i, image->n);
      exit(1);
    }
  printf("checked %" PRIu64 "\n", image->n);
}

static void *load(const char *path)
{
  struct rusage before, after;
  long long start, end;
  void *library;

  getrusage(RUSAGE_SELF, &before);
  start = now();
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  end = now();
  if (!library)
    die(path, dlerror());
  getrusage(RUSAGE_SELF, &after);
  printf("load %lld\nfaults %ld\n", end - start,
         after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt);
  return library;
}

int main(int argc, char **argv)
{
  const char *range = NULL, *function = NULL;
  int option, checks = 0, drops = 0, inits = 0, waits = 0;
  void *library;

  while ((option = getopt(argc, argv, "cdiwp:r:")) != -1)
    switch (option) {
    case 'c': checks = 1; break;
    case 'd': drops = 1; break;
    case 'i': inits = 1; break;
    case 'w': waits = 1; break;
    case 'p': range = optarg; break;
    case 'r': function = optarg; break;
    default: return 2;
    }
  if (argc - optind != 1)
    die("usage", "load [-cdiw] [-p FROM-TO] [-r FUNCTION] LIBRARY");
  if (drops)
    forget_in_child(argv[optind]);
  library = load(argv[optind]);
  if (range)
    print_private(library, range);
  if (inits)
    printf("init %lld\n", call(library, "urf_init"));
  if (function)
    printf("run %lld\n", call(library, function));
  if (checks)
    check(library);
  fflush(stdout);
  while (waits && getchar() != EOF)
    ;
  return 0;
}
