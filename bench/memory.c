/* memory SIZE - uses so many bytes, in huge pages where there are any, and ends. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096, HUGE_PAGE = 2 << 20 };

int main(int argc, char **argv)
{
  const size_t size = argc == 2 ? strtoull(argv[1], NULL, 0) : 0;
  volatile char *at;

  if (!size) {
    fprintf(stderr, "usage: memory SIZE\n");
    return 2;
  }
  at = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) {
    perror("memory: mmap");
    return 1;
  }
  at += -(uintptr_t)at & (HUGE_PAGE - 1);
  madvise((void *)at, size, MADV_HUGEPAGE);
  for (size_t i = 0; i < size; i += PAGE)
    at[i] = 1;
  return 0;
}
