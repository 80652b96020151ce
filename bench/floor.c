/* floor copy|write FILE OFFSET SIZE - the least that a load can cost which writes all of SIZE bytes of a
 * file, mapped privately as the dynamic linker does: prints load, nanoseconds.
 *
 *   copy   the bytes, once, into fresh memory of huge pages
 *   write  one word per page, in place */
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

enum { PAGE = 4096, HUGE_PAGE = 2 << 20 };

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
  char *fresh = map(size + HUGE_PAGE, MAP_ANONYMOUS, -1, 0);
  char *to = fresh + (-(uintptr_t)fresh & (HUGE_PAGE - 1));
  const size_t step = 256 << 10;

  if (size >= HUGE_PAGE)
    madvise(to, size, MADV_HUGEPAGE);
  for (size_t at = 0; at < size; at += step)
    memcpy(to + at, from + at, size - at < step ? size - at : step);
}

static void write_pages(volatile char *at, size_t size)
{
  for (size_t i = 0; i < size; i += PAGE)
    at[i] = at[i];
}

int main(int argc, char **argv)
{
  int fd = argc == 5 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;
  off_t offset;
  size_t size;
  long long start;
  char *at;

  if (fd < 0) {
    fprintf(stderr, "usage: floor copy|write FILE OFFSET SIZE\n");
    return 2;
  }
  offset = strtoll(argv[3], NULL, 0) / PAGE * PAGE;
  size = strtoull(argv[4], NULL, 0);
  start = now();
  at = map(size, 0, fd, offset);
  if (strcmp(argv[1], "copy") == 0) {
    copy(at, size);
    munmap(at, size);
  } else
    write_pages(at, size);
  printf("load %lld\n", now() - start);
  return 0;
}
