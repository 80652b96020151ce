// The pointers of an image made by hand are relocated, whatever the kernel grants.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loader.h"
#include "machine.h"
#include "unit.h"

/* What the kernel refuses. */
static enum {
  GRANT,
  NO_ROOM,     /* mmap */
  NO_ADVICE,   /* madvise, as one that does not know what is asked */
  NO_MOVE,     /* mremap, as seccomp does */
  NO_WAY_BACK, /* mremap, when what was there is gone */
  SLOW_HUGE,   /* nothing, but huge pages take their time */
  NO_MEMORY,   /* MADV_POPULATE_WRITE */
  KERNELS
} kernel;
static int moves, small_pages; /* how often it was asked for these */

static long fake_syscall(long number, long a, long b, long c, long d, long e, long f)
{
  if (number == URF_SYS_MMAP && kernel == NO_ROOM && !a)
    return -ENOMEM;
  if (number == URF_SYS_MADVISE && kernel == NO_ADVICE)
    return -EINVAL;
  if (number == URF_SYS_MADVISE && kernel == NO_MEMORY && c == 23)
    return -ENOMEM;
  if (number == URF_SYS_MADVISE && c == MADV_DONTNEED) /* the table is no file here */
    return 0;
  if (number == URF_SYS_MREMAP && kernel == NO_WAY_BACK)
    munmap((void *)e, (size_t)c);
  if (number == URF_SYS_MREMAP && (kernel == NO_MOVE || kernel == NO_WAY_BACK))
    return -EPERM;
  moves += number == URF_SYS_MREMAP;
  small_pages += number == URF_SYS_MADVISE && c == MADV_NOHUGEPAGE;
  return machine_syscall6(number, a, b, c, d, e, f);
}

#undef _GNU_SOURCE
#define machine_syscall6 fake_syscall
#define __urf_note note
static struct urf_note note;
#include "../../loader/fail.c"
#include "../../loader/relocate.c"

uint64_t stats_clock(int clock)
{
  MUST(clock == CLOCK_THREAD_CPUTIME_ID);
  static uint64_t now;
  return now += kernel == SLOW_HUGE ? 2 * SLOW : 1;
}

enum { PAGES = 1500, WORDS = PAGES * 512, BIAS = 0x12345000, STRETCHES = 40 };
static uintptr_t wanted[WORDS], start[WORDS];
static char is_word[WORDS];
static struct {
  struct urf_stretch stretches[STRETCHES];
  uintptr_t relr[2 * WORDS];
} table;
static struct image image;

/* RELR of the words in [from, to), as simple as can be: after each address bitmaps, as long as they have a bit. */
static uintptr_t *put_relr(uintptr_t *out, size_t from, size_t to)
{
  for (size_t at = from; at < to; at++) {
    if (!is_word[at])
      continue;
    *out++ = (uintptr_t)note.data + at * WORD;
    for (uintptr_t map = 1; map; at += map ? 63 : 0) {
      map = 0;
      for (size_t i = 0; i < 63 && at + 1 + i < to; i++)
        map |= (uintptr_t)is_word[at + 1 + i] << i;
      if (map)
        *out++ = map << 1 | 1;
    }
  }
  return out;
}

/* Stretches of all lengths, some dense, some full, some thin, in all ways; some pages are in none. */
static void make(void)
{
  uintptr_t *relr = table.relr;
  note.n_stretches = 0;
  memset(is_word, 0, sizeof is_word);
  for (size_t page = draw(3); page < PAGES && note.n_stretches < STRETCHES;) {
    size_t n = 1 + draw(draw(4) ? 20 : 700);
    n = n < PAGES - page ? n : PAGES - page;
    const unsigned chance = draw(4) ? draw(100) + 1 : 100;
    for (size_t i = page * 512; i < (page + n) * 512; i++)
      is_word[i] = draw(100) < chance && (chance == 100 || i / 512 % 3);
    struct urf_stretch *s = &table.stretches[note.n_stretches++];
    uintptr_t *end = put_relr(relr, page * 512, (page + n) * 512);
    *s = (struct urf_stretch){note.data + page * 4096, n * 4096, (uint64_t)(end - relr) * WORD,
                              (uint32_t)draw(3), 0};
    relr = end;
    page += n + (draw(2) ? draw(30) : 0);
  }
  note.relr = (uint64_t)((char *)table.relr - (char *)&table);
  note.relr_size = (uint64_t)(relr - table.relr) * WORD;
  for (size_t i = 0; i < WORDS; i++) {
    start[i] = is_word[i] ? (uintptr_t)note.data + i : i * 0x9e3779b97f4a7c15u;
    wanted[i] = start[i] + (is_word[i] ? BIAS : 0);
  }
}

static size_t mapped(void)
{
  size_t sum = 0;
  unsigned long lo, hi;
  char line[400];
  FILE *f = fopen("/proc/self/maps", "r");
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "%lx-%lx", &lo, &hi) == 2)
      sum += hi - lo;
  if (f)
    fclose(f);
  return sum;
}

static void load(int fd)
{
  MUST(pwrite(fd, start, sizeof start, 0) == sizeof start);
  void *p = (void *)image.region;
  MUST(mmap(p, sizeof start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == p);
}

static int all_small_pages;

static void test(int fd)
{
  load(fd);
  const size_t before = mapped();
  moves = small_pages = 0;
  const unsigned copied = relocate(&image);
  MUST(memcmp((void *)image.region, wanted, sizeof wanted) == 0);
  MUST(kernel != GRANT || (int)copied == moves);
  MUST(kernel != NO_ROOM || !copied);
  MUST(kernel == SLOW_HUGE ? small_pages <= (int)copied : !small_pages);
  all_small_pages += small_pages;
  MUST(mapped() == before);
}

/* Where there is no memory the process ends with a line, or needs none at once. */
static void test_no_memory(int fd)
{
  int status = 0, all_touched = 1;
  for (uint64_t i = 0; i < note.n_stretches; i++)
    all_touched &= table.stretches[i].way == URF_TOUCH;
  load(fd);
  fflush(stdout);
  int pid = fork();
  if (!pid) {
    MUST(freopen("/dev/null", "w", stderr));
    relocate(&image);
    _exit(0);
  }
  MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
  MUST(WEXITSTATUS(status) == (all_touched ? 0 : 127));
}

/* Words outside their stretch, and bitmaps that lead there. */
static void test_damage(int fd)
{
  static const uintptr_t bad[][3] = {
      {4096, 0, 0}, {~(uintptr_t)4095, 0, 0}, {4088, 3, 0}, {8, ~(uintptr_t)0, 0}, {16, 0, 8}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    for (unsigned way = 0; way <= URF_COPY; way++) {
      int status = 0;
      load(fd);
      table.stretches[0] = (struct urf_stretch){note.data, 4096, 24, way, 0};
      for (size_t n = 0; n < 3; n++)
        table.relr[n] = bad[i][n] & 1 ? bad[i][n] : (uintptr_t)note.data + bad[i][n];
      if (i == 3)
        for (size_t n = 1; n < 12; n++)
          table.relr[n] = ~(uintptr_t)0, table.stretches[0].relr_size = 12 * WORD;
      note.n_stretches = 1;
      int pid = fork();
      if (!pid) {
        MUST(freopen("/dev/null", "w", stderr));
        relocate(&image);
        _exit(0);
      }
      MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 127);
    }
}

int main(void)
{
  const int fd = memfd_create("image", 0);
  void *p = mmap(NULL, sizeof start, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(fd >= 0 && ftruncate(fd, sizeof start) == 0 && p != MAP_FAILED);
  image = (struct image){BIAS, (uintptr_t)p, (uintptr_t)p + sizeof start, (const char *)&table};
  note.data = (uintptr_t)p - BIAS;
  for (int round = 0; round < 30; round++) {
    make();
    for (kernel = GRANT; kernel < NO_MEMORY; kernel++) {
      printf("kernel %d\n", kernel);
      test(fd);
    }
    if (round < 5)
      test_no_memory(fd);
  }
  MUST(all_small_pages > 0);
  kernel = GRANT;
  test_damage(fd);
  return 0;
}
