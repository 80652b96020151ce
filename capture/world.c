/* What a process has besides its memory; part of the host program.  Two lists of lines are held against
 * each other, so a kind of thing is added by a few lines that print it. */

#include <dirent.h>
#include <fcntl.h>
#include <link.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "guest.h"
#include "host_machine.h"
#include "memory.h"
#include "world.h"

/* Lines, each with a NUL behind it, in memory of its own: the process must not notice. */
struct lines {
  char *at;
  size_t n;
};
enum { ROOM = 1 << 22 };
static struct lines before;
static int
    before_is_done; /* while the dynamic linker calls a constructor, musl has cancellation off */

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

static void add_link(struct lines *l, const char *word, const char *path)
{
  char target[4096];
  ssize_t n = readlink(path, target, sizeof target - 1);
  if (n < 0)
    return;
  target[n] = 0;
  add(l, "%s %s", word, target);
}

static void add_file(struct lines *l, const char *path,
                     void (*add_line)(struct lines *l, char *line))
{
  char text[8192], *rest = text;
  size_t n = 0;
  ssize_t got;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0)
    n += (size_t)got;
  text[n] = 0;
  if (fd >= 0)
    close(fd);
  for (char *line; (line = strsep(&rest, "\n"));)
    add_line(l, line);
}

/* Lines of /proc/PID/status, proc_pid_status(5). */
static void add_status(struct lines *l, char *line)
{
  static const struct {
    const char *field, *kind;
  } fields[] = {{"Name", "name"},
                {"Uid", "credentials"},
                {"Gid", "credentials"},
                {"Groups", "credentials"},
                {"CapInh", "credentials"},
                {"CapPrm", "credentials"},
                {"CapEff", "credentials"},
                {"CapBnd", "credentials"},
                {"CapAmb", "credentials"},
                {"NoNewPrivs", "credentials"},
                {"SigPnd", "pending"},
                {"ShdPnd", "pending"},
                {"Seccomp", "seccomp"},
                {"Seccomp_filters", "seccomp"},
                {"Cpus_allowed", "affinity"},
                {"Mems_allowed", "affinity"},
                {"THP_enabled", "prctl"},
                {"Speculation_Store_Bypass", "prctl"}};
  char *colon = strchr(line, ':');
  for (size_t i = 0; colon && i < sizeof fields / sizeof *fields; i++)
    if (strncmp(fields[i].field, line, (size_t)(colon - line)) == 0 &&
        !fields[i].field[colon - line])
      add(l, "%s %s", fields[i].kind, line);
}

static void add_timer(struct lines *l, char *line)
{
  if (strncmp(line, "ID:", 3) == 0)
    add(l, "timer %s", line);
}

/* Attributes of the process that have calls of their own; prctl(2). */
static void add_attributes(struct lines *l)
{
  static const int questions[] = {PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_TIMERSLACK,
                                  PR_GET_SECUREBITS};
  static const int places[] = {PR_GET_PDEATHSIG, PR_GET_CHILD_SUBREAPER, PR_GET_TSC};
  for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
    add(l, "prctl %d is %d", questions[i], prctl(questions[i], 0, 0, 0, 0));
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    int value = 0;
    (void)prctl(places[i], &value, 0, 0, 0);
    add(l, "prctl %d is %d", places[i], value);
  }
  add(l, "prctl personality %x", (unsigned)personality(0xffffffff));
}

static void add_priority(struct lines *l)
{
  struct sched_param param = {0};
  (void)syscall(SYS_sched_getparam, 0, &param);
  add(l, "priority nice %d, policy %ld %d, i/o %lx", getpriority(PRIO_PROCESS, 0),
      syscall(SYS_sched_getscheduler, 0), param.sched_priority,
      (unsigned long)syscall(SYS_ioprio_get, 1, 0));
}

/* What is the thread's own: modes of its floating-point unit, its locale, whether it can be cancelled. */
static void add_thread(struct lines *l)
{
  uint32_t control[2];
  int state = PTHREAD_CANCEL_ENABLE, type = PTHREAD_CANCEL_DEFERRED;
  read_float(control);
  add(l, "float control %x %x", (unsigned)control[0], (unsigned)control[1]);
  if (uselocale((locale_t)0) != LC_GLOBAL_LOCALE)
    add(l, "locale of the thread: its own");
  (void)pthread_setcanceltype(type, &type);
  if (type != PTHREAD_CANCEL_DEFERRED)
    add(l, "cancel asynchronously");
  (void)pthread_setcanceltype(type, NULL);
  (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
  (void)pthread_setcancelstate(state, NULL);
  if (state != PTHREAD_CANCEL_ENABLE && before_is_done)
    add(l, "cancel disabled");
}

/* By what the C library says of it.  Whether its buffer was set by setvbuf is in its first number. */
static void add_stream(struct lines *l, const char *name)
{
  FILE **variable = guest_symbol(name, "-"), *f = variable ? *variable : NULL;
  if (!f)
    return;
#ifdef __GLIBC__
  /* libio.h: _IO_USER_BUF (also of one without a buffer, once used), _IO_UNBUFFERED, _IO_LINE_BUF */
  enum { USER = 1, NONE = 2, LINES = 0x200 };
  const int set = f->_flags & (f->_flags & NONE ? NONE | LINES : USER | LINES);
#else
  enum { SVB = 64 }; /* stdio_impl.h: F_SVB */
  const int set = *(const int *)(const void *)f & SVB;
#endif
  add(l, "stream %s: %zu bytes to write,%s%s%s%s setvbuf %x", name, __fpending(f),
      ferror(f) ? " error," : "", feof(f) ? " end of file," : "", fwide(f, 0) > 0 ? " wide," : "",
      __fsetlocking(f, FSETLOCKING_QUERY) == FSETLOCKING_BYCALLER ? " without locks," : "",
      (unsigned)set);
}

/* In a copy of the process, because asking may change it: without tzset, as the next caller finds it. */
static char *zones;
enum { ZONES = 4096 };

static void write_zones(void)
{
  char **names = guest_symbol("tzname", "-");
  const long *seconds = guest_symbol("timezone", "-");
  size_t n = 0;
  struct tm tm;
  for (int i = -10; i < 40 && n < ZONES - 128; i++) { /* from 1925 on, by 182 days */
    const time_t t = (time_t)i * 3 * 15724800 + 1;
    if (localtime_r(&t, &tm))
      n += (size_t)snprintf(zones + n, 64, "%ld%.20s ", (long)tm.tm_gmtoff, tm.tm_zone);
  }
  if (names && seconds)
    (void)snprintf(zones + n, ZONES - n, "%.20s %.20s %ld", names[0], names[1], *seconds);
}

static void add_zones(struct lines *l)
{
  if (!zones) {
    void *p = mmap(NULL, ZONES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    zones = p == MAP_FAILED ? NULL : p;
  }
  if (!zones)
    return;
  zones[0] = 0;
  in_copy(write_zones);
  add(l, "timezone %s", zones);
}

static int add_module(struct dl_phdr_info *info, size_t size, void *lines)
{
  (void)size;
  if (info->dlpi_name[0])
    add(lines, "module %s", info->dlpi_name);
  return 0;
}

/* A library's are made again at load, by sigaction of its loader; a static program has none of that. */
static void add_handlers(struct lines *l)
{
  struct sigaction a;
  for (int i = 1; guest_is_program && i < NSIG; i++)
    if (!sigaction(i, NULL, &a) && a.sa_handler != SIG_DFL)
      add(l, a.sa_handler == SIG_IGN ? "handler of signal %d: ignored" : "handler of signal %d", i);
}

static void add_all(struct lines *l)
{
  static const char *const spaces[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
  add_zones(l);
  add_thread(l);
  add_stream(l, "stdin");
  add_stream(l, "stdout");
  add_stream(l, "stderr");
  add_descriptors(l);
  add_process(l);
  add_file(l, "/proc/self/status", add_status);
  add_file(l, "/proc/self/timers", add_timer);
  add_handlers(l);
  add_attributes(l);
  add_priority(l);
  add_link(l, "cwd root", "/proc/self/root");
  for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", spaces[i]);
    add_link(l, "namespace", path);
  }
  /* by name: a reference would give this program a copy that libraries then use */
  char ***environment = guest_symbol("environ", "-");
  for (char **e = environment ? *environment : NULL; e && *e; e++)
    add(l, "environment %s", *e);
  if (environment && !*environment) /* as clearenv leaves it, also when there was no variable */
    add(l, "environment is cleared");
  dl_iterate_phdr(add_module, l);
}

void world_begin(void)
{
  lines_init(&before);
  add_all(&before);
  before_is_done = 1;
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
