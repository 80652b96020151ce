// Mappings that are moved to a given place, discarded while inaccessible, mapped over, and asked for
// at an address that is taken.
// not: emulated qemu says of any advice (madvise) that it has been taken
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "feature.h"

enum { PAGE = 4096 };

static char *arena, *moved, *table;

static char *map(size_t n, int prot)
{
  char *p = mmap(0, n, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED && (uintptr_t)p % PAGE == 0);
  return p;
}

static int is_all(const char *p, char what, size_t n)
{
  while (n && *p == what)
    p++, n--;
  return !n;
}

/* 'r' when p can be read, 'w' when it can be written as well, '-' when neither. */
static char access_to(char *p)
{
  char what = '-';
  for (int write = 0; write < 2; write++) {
    int status = 0, pid = fork();
    if (!pid) {
      signal(SIGSEGV, SIG_DFL);
      if (write)
        *(volatile char *)p = 1;
      else
        (void)*(volatile char *)p;
      _exit(0);
    }
    if (waitpid(pid, &status, 0) == pid && !status)
      what = "rw"[write];
  }
  return what;
}

/* On 16 pages of 'a'. */
static void exercise(char *p)
{
  /* inaccessible pages are discarded as any others, and stay inaccessible */
  CHECK(mprotect(p + 2 * PAGE, PAGE, PROT_NONE) == 0 &&
        mprotect(p + 3 * PAGE, PAGE, PROT_READ) == 0);
  CHECK(madvise(p + PAGE, 4 * PAGE, MADV_DONTNEED) == 0);
  CHECK(access_to(p + PAGE) == 'w' && access_to(p + 2 * PAGE) == '-' &&
        access_to(p + 3 * PAGE) == 'r');
  CHECK(mprotect(p + PAGE, 4 * PAGE, PROT_READ | PROT_WRITE) == 0 && is_zero(p + PAGE, 4 * PAGE));
  CHECK(is_all(p, 'a', PAGE) && is_all(p + 5 * PAGE, 'a', 11 * PAGE));

  /* a new mapping over an old one, and in the hole that one left */
  CHECK(mmap(p + 6 * PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
        p + 6 * PAGE);
  CHECK(is_zero(p + 6 * PAGE, 2 * PAGE) && access_to(p + 6 * PAGE) == 'r');
  CHECK(munmap(p + 9 * PAGE, PAGE) == 0);
  CHECK(mmap(p + 9 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             -1, 0) == p + 9 * PAGE);
  CHECK(is_zero(p + 9 * PAGE, PAGE));
  CHECK(is_all(p + 8 * PAGE, 'a', PAGE) && is_all(p + 10 * PAGE, 'a', 6 * PAGE));

  /* what is there is not given away */
  char *q = mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(q != MAP_FAILED && q != p && munmap(q, PAGE) == 0);
  CHECK(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
            MAP_FAILED &&
        errno == EEXIST);

  /* moved with its protection to a place that is named */
  char *to = map(8 * PAGE, PROT_NONE);
  CHECK(mprotect(p + 12 * PAGE, 4 * PAGE, PROT_READ) == 0);
  CHECK(mremap(p + 12 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 2 * PAGE) ==
        to + 2 * PAGE);
  CHECK(is_all(to + 2 * PAGE, 'a', 4 * PAGE) && access_to(to + 3 * PAGE) == 'r');
  CHECK(access_to(to + PAGE) == '-' && access_to(to + 6 * PAGE) == '-');
  moved = to + 2 * PAGE;

  /* what cannot be */
  errno = 0;
  CHECK(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE) == MAP_FAILED &&
        errno == EINVAL);
  errno = 0;
  CHECK(mremap(p, PAGE, 0, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
  errno = 0;
  CHECK(mremap(p, PAGE, PAGE, MREMAP_FIXED, to) == MAP_FAILED && errno == EINVAL);
  errno = 0;
  CHECK(mremap(p + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
  errno = 0;
  CHECK(munmap(p + 1, PAGE) == -1 && errno == EINVAL);
  errno = 0;
  CHECK(munmap(p, 0) == -1 && errno == EINVAL);
  errno = 0;
  CHECK(mmap(0, (size_t)-1 & ~(size_t)4095, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
            MAP_FAILED &&
        errno == ENOMEM);
}

static char *new_arena(void)
{
  char *p = map(16 * PAGE, PROT_READ | PROT_WRITE);
  memset(p, 'a', 16 * PAGE);
  return p;
}

int urf_init(void)
{
  exercise(new_arena());
  CHECK(munmap(moved, 4 * PAGE) == 0);
  arena = new_arena();
  table = map(3 * PAGE, PROT_READ | PROT_WRITE);
  strcpy(table, "guarded by inaccessible pages");
  CHECK(mprotect(table + PAGE, 2 * PAGE, PROT_NONE) == 0);
  return 0;
}

void answer(FILE *out)
{
  fflush(out);
  fprintf(out, "%d %s %c%c", is_all(arena, 'a', PAGE), table, access_to(table),
          access_to(table + PAGE));
  if (moved && access_to(moved) == 'r')
    fprintf(out, " %.4s", moved);
  fprintf(out, "\n");
  tell_wrong(out);
}

void mutate(FILE *out)
{
  exercise(arena);
  table = mremap(table, PAGE, 4 * PAGE, MREMAP_MAYMOVE);
  CHECK(table != MAP_FAILED && is_zero(table + PAGE, 3 * PAGE));
  fprintf(out, "%s\n", table);
}
