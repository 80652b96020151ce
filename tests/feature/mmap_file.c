// Private mappings of files: their bytes are those of the freeze, whatever becomes of the file.
// not: emulated qemu says of any advice (madvise) that it has been taken, such as what tells protected pages
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "feature.h"

enum { PAGE = 4096, WORDS = 5 * PAGE + 123 };

static const char *words; /* all of the file, never written */
static char *edited;      /* from its second page on, and more than it has */
static char *arena;       /* a page of the file over a reserved range */
static char *zeros;       /* of /dev/zero */

static char letter(size_t i)
{
  return (char)('a' + i * 7 % 26 + i / PAGE % 3);
}

static int are_words(const char *p, size_t from, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (p[i] != letter(from + i))
      return 0;
  return 1;
}

static int make_file(char *name)
{
  char text[WORDS];
  int fd = mkstemp(name);
  for (size_t i = 0; i < WORDS; i++)
    text[i] = letter(i);
  CHECK(fd >= 0 && write(fd, text, WORDS) == WORDS);
  return fd;
}

/* 'r' when p can be read, 'w' when it can be written as well. */
static char access_to(const char *p)
{
  int status = 0, pid = fork();
  if (!pid) {
    signal(SIGSEGV, SIG_DFL);
    *(volatile char *)(uintptr_t)p = 1;
    _exit(0);
  }
  CHECK(waitpid(pid, &status, 0) == pid);
  return status ? 'r' : 'w';
}

static char *map(size_t n, int prot, int fd, off_t from)
{
  char *p = mmap(0, n, prot, MAP_PRIVATE, fd, from);
  CHECK(p != MAP_FAILED && (uintptr_t)p % PAGE == 0);
  return p;
}

static void errors(int fd)
{
  errno = 0;
  CHECK(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
  errno = 0;
  CHECK(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 1) == MAP_FAILED && errno == EINVAL);
  errno = 0;
  CHECK(mmap(0, 0, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EINVAL);
  int closed = open("/tmp", O_RDONLY | O_DIRECTORY);
  errno = 0;
  CHECK(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, closed, 0) == MAP_FAILED && errno == ENODEV);
  close(closed);
}

int urf_init(void)
{
  char name[] = "/tmp/words-XXXXXX";
  int fd = make_file(name);
  lseek(fd, 0, SEEK_SET);
  words = map(WORDS, PROT_READ, fd, 0);
  errno = 0;
  edited = map(5 * PAGE, PROT_READ | PROT_WRITE, fd, PAGE);
  CHECK(errno == 0 && lseek(fd, 0, SEEK_CUR) == 0);
  CHECK(are_words(edited, PAGE, WORDS - PAGE) && is_zero(edited + WORDS - PAGE, PAGE - 123));
  memcpy(edited + 10, "edited", 6);
  *(char **)(void *)(edited + 3 * PAGE) = edited + 10;
  CHECK(are_words(words, 0, WORDS)); /* the other mapping, and the file, have not changed */

  /* a length within a page shows the rest of it, too */
  char *part = map(100, PROT_READ, fd, 0);
  CHECK(are_words(part, 0, PAGE) && munmap(part, 100) == 0);

  arena = mmap(0, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mmap(arena + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 5 * PAGE) == arena + PAGE);
  CHECK(are_words(arena + PAGE, 5 * PAGE, 123) && access_to(arena + PAGE) == 'r');

  /* what is shared goes by the file */
  char *shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), first = 0;
  CHECK(shared != MAP_FAILED);
  shared[0] = '!';
  CHECK(pread(fd, &first, 1, 0) == 1 && first == '!');
  shared[0] = letter(0);
  CHECK(munmap(shared, PAGE) == 0);

  int zero = open("/dev/zero", O_RDWR);
  zeros = map(2 * PAGE, PROT_READ | PROT_WRITE, zero, 0);
  CHECK(is_zero(zeros, 2 * PAGE));
  strcpy(zeros, "memory of old");
  close(zero);

  errors(fd);
  unlink(name);
  close(fd);
  CHECK(madvise((void *)(uintptr_t)words, 2 * PAGE, MADV_DONTNEED) == 0);
  CHECK(are_words(words, 0, WORDS));
  return 0;
}

void answer(FILE *out)
{
  fflush(out);
  if (words)
    fprintf(out, "%d %c %.6s %c\n", are_words(words, 0, WORDS), access_to(words), edited + 10,
            access_to(edited));
  if (words)
    fprintf(out, "%.6s\n", *(char **)(void *)(edited + 3 * PAGE));
  fprintf(out, "%s\n", zeros);
  tell_wrong(out);
}

void mutate(FILE *out)
{
  char *all = (char *)(uintptr_t)words;
  /* what has not been written is not lost */
  CHECK(madvise(all, WORDS, MADV_DONTNEED) == 0 && are_words(words, 0, WORDS));
  CHECK(madvise(arena + PAGE, PAGE, MADV_DONTNEED) == 0 && are_words(arena + PAGE, 5 * PAGE, 123));
  CHECK(mprotect(all, PAGE, PROT_READ | PROT_WRITE) == 0);
  memcpy(all, "mutated", 7);
  CHECK(are_words(edited, PAGE, 10) && memcmp(edited + 10, "edited", 6) == 0);
  memcpy(edited + 10, "again ", 6);

  /* in place of a file's page, anonymous memory is discarded as such */
  CHECK(munmap(all + 2 * PAGE, PAGE) == 0);
  CHECK(mmap(all + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             -1, 0) == all + 2 * PAGE);
  strcpy(all + 2 * PAGE, "gone soon");
  CHECK(madvise(all + 2 * PAGE, 2 * PAGE, MADV_DONTNEED) == 0 && is_zero(all + 2 * PAGE, PAGE));
  CHECK(are_words(all + 3 * PAGE, 3 * PAGE, WORDS - 3 * PAGE));
  CHECK(mremap(all, WORDS, 2 * PAGE, 0) == all && are_words(all + PAGE, PAGE, PAGE));
  CHECK(madvise(zeros, PAGE, MADV_DONTNEED) == 0 && is_zero(zeros, 2 * PAGE));
  strcpy(zeros, "memory of new");
  fprintf(out, "%.7s\n", words);
  CHECK(munmap(all, 2 * PAGE) == 0);
  words = 0;

  /* and what is mapped after the load is the file */
  char name[] = "/tmp/words-XXXXXX";
  int fd = make_file(name);
  char *p = map(WORDS, PROT_READ, fd, 0);
  CHECK(are_words(p, 0, WORDS) && munmap(p, WORDS) == 0);
  unlink(name);
  close(fd);
}
