/* floor WAY FILE OFFSET SIZE [STEP] - what it costs to have SIZE bytes of a file, mapped privately as the
 * dynamic linker does, and nothing else: prints load, nanoseconds.
 *
 *   read      one word per page
 *   write     one word per page, in place; STEP: of every STEPth page
 *   populate  the same, when the kernel has been told so
 *   copy      all bytes, once, into fresh memory of huge pages */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Below HUGE_FROM bytes, ordinary pages cost less than to clear a whole huge one. */
enum { PAGE = 4096, HUGE_PAGE = 2 << 20, HUGE_FROM = HUGE_PAGE / 4 };

static long long now(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *map(size_t size, int flags, int fd, off_t offset)
{
  void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, fd, offset);

  if (at == MAP_FAILED) {
    fprintf(stderr, "floor: mmap: %s\n", strerror(errno));
    exit(1);
  }
  return at;
}

/* memcpy in pieces that the second cache holds: with one call for all, it would go round the cache that the
 * kernel has just cleared the page in. */
static void copy(const char *from, size_t size)
{
  const size_t room = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  char *fresh = map(room + HUGE_PAGE, MAP_ANONYMOUS, -1, 0);
  char *to = fresh + (-(uintptr_t)fresh & (HUGE_PAGE - 1));
  const size_t step = 256 << 10;

  if (size >= HUGE_FROM)
    madvise(to, room, MADV_HUGEPAGE);
  for (size_t at = 0; at < size; at += step)
    memcpy(to + at, from + at, size - at < step ? size - at : step);
}

static void write_pages(volatile char *at, size_t size, size_t step)
{
  for (size_t i = 0; i < size; i += step * PAGE)
    at[i] = at[i];
}

static void populate(char *at, size_t size)
{
  if (madvise(at, size, MADV_POPULATE_WRITE)) {
    fprintf(stderr, "floor: madvise: %s\n", strerror(errno));
    exit(1);
  }
}

static int read_pages(const volatile char *at, size_t size)
{
  int sum = 0;

  for (size_t i = 0; i < size; i += PAGE)
    sum += at[i];
  return sum;
}

static void use(const char *way, char *at, size_t size, size_t step)
{
  if (strcmp(way, "copy") == 0) {
    copy(at, size);
    munmap(at, size);
  } else if (strcmp(way, "read") == 0) {
    read_pages(at, size);
  } else {
    if (strcmp(way, "populate") == 0)
      populate(at, size);
    write_pages(at, size, step);
  }
}

int main(int argc, char **argv)
{
  int fd = argc == 5 || argc == 6 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;
  size_t size, step = argc == 6 ? strtoull(argv[5], NULL, 0) : 1;
  off_t offset;
  long long start;

  if (fd < 0 || !step) {
    fprintf(stderr, "usage: floor read|write|populate|copy FILE OFFSET SIZE [STEP]\n");
    return 2;
  }
  offset = strtoll(argv[3], NULL, 0) / PAGE * PAGE;
  size = strtoull(argv[4], NULL, 0);
  start = now();
  use(argv[1], map(size, 0, fd, offset), size, step);
  printf("load %lld\n", now() - start);
  return 0;
}
