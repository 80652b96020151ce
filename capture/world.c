/* What a process has besides its memory; part of the host program.  Two lists of lines are held against
 * each other, so a kind of thing is added by a few lines that print it. */

#include <dirent.h>
#include <dlfcn.h>
#include <link.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "world.h"

/* Lines, each with a NUL behind it, in memory of its own: the process must not notice. */
struct lines {
  char *at;
  size_t n;
};
enum { ROOM = 1 << 22 };
static struct lines before;

static void lines_init(struct lines *l)
{
  void *p =
      mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  *l = (struct lines){p == MAP_FAILED ? NULL : p, 0};
}

static void add(struct lines *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct lines *l, const char *format, ...)
{
  va_list ap;
  va_start(ap, format);
  const size_t room = l->at ? ROOM - l->n : 0;
  int n = room ? vsnprintf(l->at + l->n, room, format, ap) : -1;
  va_end(ap);
  if (n < 0 || (size_t)n >= room)
    return;
  for (char *c = l->at + l->n; *c; c++)
    if (*c == '\n') /* which ends a line for turf */
      *c = ' ';
  l->n += (size_t)n + 1;
}

static void add_descriptors(struct lines *l)
{
  DIR *dir = opendir("/proc/self/fd");
  const struct dirent *entry;
  while (dir && (entry = readdir(dir))) {
    char target[4096];
    const int fd = atoi(entry->d_name);
    ssize_t n = entry->d_name[0] == '.' || fd == dirfd(dir)
                    ? -1
                    : readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
    if (n < 0)
      continue;
    target[n] = 0;
    add(l, "fd %d %s", fd, target);
  }
  if (dir)
    closedir(dir);
}

static void add_process(struct lines *l)
{
  char cwd[4096];
  sigset_t mask;
  struct itimerval timer;
  uint64_t blocked = 0;
  const mode_t umask_now = umask(0);
  (void)umask(umask_now);
  add(l, "umask %03o", (unsigned)umask_now);
  add(l, "cwd %s", getcwd(cwd, sizeof cwd) ? cwd : "?");
  add(l, "locale %s", setlocale(LC_ALL, NULL));
  if (!sigprocmask(SIG_SETMASK, NULL, &mask))
    memcpy(&blocked, &mask, sizeof blocked);
  add(l, "blocked signals %llx", (unsigned long long)blocked);
  for (int i = 0; i < RLIM_NLIMITS; i++) {
    struct rlimit limit;
    if (!getrlimit(i, &limit))
      add(l, "rlimit %d %llu %llu", i, (unsigned long long)limit.rlim_cur,
          (unsigned long long)limit.rlim_max);
  }
  for (int i = ITIMER_REAL; i <= ITIMER_PROF; i++)
    if (!getitimer(i, &timer) && (timer.it_value.tv_sec || timer.it_value.tv_usec))
      add(l, "timer %d", i);
}

static int add_module(struct dl_phdr_info *info, size_t size, void *lines)
{
  (void)size;
  if (info->dlpi_name[0])
    add(lines, "module %s", info->dlpi_name);
  return 0;
}

static void add_all(struct lines *l)
{
  add_descriptors(l);
  add_process(l);
  /* by name: a reference would give this program a copy that libraries then use */
  char ***environment = dlsym(RTLD_DEFAULT, "environ");
  for (char **e = environment ? *environment : NULL; e && *e; e++)
    add(l, "environment %s", *e);
  dl_iterate_phdr(add_module, l);
}

void world_begin(void)
{
  lines_init(&before);
  add_all(&before);
}

static int has(const struct lines *l, const char *line)
{
  for (size_t at = 0; at < l->n; at += strlen(l->at + at) + 1)
    if (strcmp(l->at + at, line) == 0)
      return 1;
  return 0;
}

static void say_missing(const struct lines *from, const struct lines *in, char sign,
                        void (*say)(char sign, const char *line))
{
  for (size_t at = 0; at < from->n; at += strlen(from->at + at) + 1)
    if (!has(in, from->at + at))
      say(sign, from->at + at);
}

void world_changes(void (*say)(char sign, const char *line))
{
  struct lines now;
  lines_init(&now);
  add_all(&now);
  say_missing(&before, &now, '-', say);
  say_missing(&now, &before, '+', say);
  if (now.at)
    munmap(now.at, ROOM);
}
