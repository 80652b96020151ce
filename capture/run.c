/* A capture host in a process of its own, and the conversation with it.
 *
 * Several may be alive at a time.  Most wait for their next request; some have one that nobody waits for
 * yet, and run.  All of them are traced, so that wait(2) reports their stops: whoever waits handles the
 * events of all. */

#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "trace.h"

/* The host's end of the conversation; a number that does not depend on what turf has open. */
enum { HOST_FD = 200, BUFFER = 1 << 16, TOLD_AT_MOST = 2000 };

struct process {
  struct process *next;
  const struct options *o;
  const struct library *lib;
  pid_t pid;
  int socket, output; /* the second holds what the host wrote to stdout and stderr */
  struct displacement displaced;
  int status; /* as in wait(2), once ended is set */
  bool ended, late;
  bool ahead;         /* has not been listened to since process_send */
  bool copied;        /* path is a temporary file */
  bool started;       /* the host program has said something */
  char *path, *doing; /* the library that it loads, what it is busy with */
  size_t at, n;       /* what is unread in buffer */
  char buffer[BUFFER];
};

static struct process *all;
static int child_fd = -1;

/* Children die with their tracer anyway, but somebody has to take note of it. */
static void interrupted(int signal)
{
  int status;
  freeze_cleanup();
  for (const struct process *p = all; p; p = p->next)
    if (p->copied)
      unlink(p->path);
  for (const struct process *p = all; p; p = p->next)
    if (p->pid > 0 && !p->ended) {
      kill(-p->pid, SIGKILL);
      kill(p->pid, SIGKILL);
      /* the process is gone when its threads are, which have to be waited for as well */
      for (pid_t pid = 0; pid >= 0 && (pid != p->pid || WIFSTOPPED(status));)
        pid = waitpid(-1, &status, __WALL);
    }
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigaction(signal, &standard, NULL);
  raise(signal);
}

void process_setup(void)
{
  static const int signals[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU};
  struct sigaction clean = {.sa_handler = interrupted, .sa_flags = SA_NODEFER};
  struct sigaction old;
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
      sigaction(signals[i], &clean, NULL);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, NULL);
  child_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

static struct process *process_of(pid_t pid)
{
  struct process *p = all;
  while (p && p->pid != pid)
    p = p->next;
  return p;
}

/* A field of /proc/PID/status, 0 when there is none. */
static pid_t status_field(pid_t pid, const char *name)
{
  char path[64], line[256];
  long value = 0;
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *f = fopen(path, "re");
  while (f && !value && fgets(line, sizeof line, f))
    if (strncmp(line, name, strlen(name)) == 0)
      value = strtol(line + strlen(name), NULL, 10);
  if (f)
    fclose(f);
  return (pid_t)value;
}

/* The process that a thread or descendant belongs to: by its session, which each begins, or by its parents
 * when it has one of its own; NULL when they have ended, too. */
static struct process *ancestor_of(pid_t pid)
{
  enum { STEPS = 32 };
  struct process *p = process_of(getsid(pid));
  for (int i = 0; !p && pid > 1 && i < STEPS; i++) {
    const pid_t group = status_field(pid, "Tgid:");
    p = process_of(group);
    pid = p ? pid : status_field(pid, "PPid:");
    p = p ? p : process_of(pid);
  }
  return p;
}

static void handle_event(struct process *running, pid_t pid, int status)
{
  struct process *p = process_of(pid);
  const bool own = p != NULL;
  if (!own && WIFSTOPPED(status))
    p = ancestor_of(pid);
  if (!p)
    p = running;
  if (trace_event(pid, status, &p->displaced) || !own)
    return;
  p->ended = true;
  p->status = status;
}

/* Handles what wait(2) has; what has no process of ours left counts as the one's that is asked.  After one
 * stop the next is often near, and asking again is quicker than going to sleep. */
static void handle_events(struct process *running)
{
  enum { SPINS = 200, AT_MOST = 10000 }; /* then the time limit is looked at */
  int status, left = 0;
  for (int n = 0; n < AT_MOST; n++) {
    pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);
    if (pid > 0) {
      handle_event(running, pid, status);
      left = SPINS;
    }
    if (left-- <= 0)
      return;
  }
}

static int64_t milliseconds(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The last lines of what the host and the library said, each behind a bar. */
static char *told(const struct process *p)
{
  char text[TOLD_AT_MOST + 1];
  off_t end = lseek(p->output, 0, SEEK_END);
  off_t from = end > TOLD_AT_MOST ? end - TOLD_AT_MOST : 0;
  ssize_t n = pread(p->output, text, TOLD_AT_MOST, from);
  if (n <= 0)
    return xstrdup("");
  text[n] = 0;
  struct bytes out = {0};
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    put_bytes(&out, "\n  | ", 5);
    put_bytes(&out, line, strlen(line));
  }
  put_bytes(&out, "", 1);
  return (char *)out.at;
}

/* Why there is no answer.  The end of the socket comes before the news of the process's. */
static int fail_ended(struct process *p, struct error *e)
{
  for (int i = 0; i < 500 && !p->ended && !p->late; i++) {
    handle_events(p);
    if (!p->ended)
      poll(NULL, 0, 10);
  }
  char *said = told(p);
  if (!p->started && p->late && p->o->runner)
    fail(e, SYSTEM,
         "%s: the command of --runner (%s) has not begun the host program within %d s: name one "
         "that "
         "does, or allow more with --time-limit SECONDS%s",
         p->lib->path, p->o->runner, p->o->time_limit, said);
  else if (!p->started && p->o->runner)
    fail(e, SYSTEM,
         "%s: the command of --runner (%s) ended before the host program had begun; does it run "
         "programs of %s, with their libc?%s",
         p->lib->path, p->o->runner, p->lib->machine->name, said);
  else if (!p->started && !p->late && p->o->host)
    fail(e, SYSTEM,
         "%s: --host %s ended before it had said that it is a host program of turf's; name one, or "
         "none%s",
         p->lib->path, p->o->host, said);
  else if (p->late)
    fail(e, REFUSED, "%s: %s did not end within %d s; allow more with --time-limit SECONDS%s",
         p->lib->path, p->doing, p->o->time_limit, said);
  else if (p->ended && WIFSIGNALED(p->status))
    fail(e, REFUSED, "%s: %s ended with signal %d (%s)%s", p->lib->path, p->doing,
         WTERMSIG(p->status), strsignal(WTERMSIG(p->status)), said);
  else
    fail(e, REFUSED, "%s: %s ended the process, with status %d%s", p->lib->path, p->doing,
         p->ended ? WEXITSTATUS(p->status) : 0, said);
  free(said);
  return -1;
}

const char *process_path(const struct process *p)
{
  return p->path;
}

const struct made *process_made(const struct process *p, size_t *n)
{
  *n = p->displaced.made.n;
  return p->displaced.made.at;
}

int process_id(const struct process *p)
{
  return p->pid;
}

unsigned process_asked(const struct process *p)
{
  return p->displaced.asked;
}

void process_doing(struct process *p, const char *format, ...)
{
  va_list ap;
  free(p->doing);
  va_start(ap, format);
  p->doing = xvprintf(format, ap);
  va_end(ap);
}

/* Waits until the socket has bytes (or its end). */
static int await(struct process *p, struct error *e)
{
  int64_t deadline = milliseconds() + (int64_t)p->o->time_limit * 1000;
  for (;;) {
    struct pollfd fds[] = {{child_fd, POLLIN, 0}, {p->socket, POLLIN, 0}};
    int64_t left = deadline - milliseconds();
    int ready = left > 0 ? poll(fds, 2, left > 1000 ? 1000 : (int)left) : 0;
    if (ready < 0 && errno != EINTR)
      return fail_errno(e, p->lib->path, "poll");
    struct signalfd_siginfo info;
    while (read(child_fd, &info, sizeof info) > 0)
      ;
    handle_events(p);
    if (ready > 0 && fds[1].revents)
      return 0;
    if (left <= 0 && poll(&fds[1], 1, 0) > 0) /* it may have been for a while */
      return 0;
    if (p->ended && !poll(&fds[1], 1, 0)) /* a child of it still holds the socket */
      return fail_ended(p, e);
    if (left <= 0) {
      p->late = true;
      return fail_ended(p, e);
    }
  }
}

/* At least one byte into the buffer. */
static int fill(struct process *p, struct error *e)
{
  ssize_t got;
  if (p->at) {
    memmove(p->buffer, p->buffer + p->at, p->n);
    p->at = 0;
  }
  if (p->n == BUFFER)
    return fail(e, SYSTEM, "%s: the host program says more than a line", p->lib->path);
  do {
    if (await(p, e))
      return -1;
    got = recv(p->socket, p->buffer + p->n, BUFFER - p->n, 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    p->n += (size_t)got;
    return 0;
  }
  return fail_ended(p, e);
}

const char *process_line(struct process *p, struct error *e)
{
  size_t looked = 0;
  p->ahead = false;
  for (;;) {
    char *line = p->buffer + p->at, *end = memchr(line + looked, '\n', p->n - looked);
    if (end) {
      p->started = true;
      *end = 0;
      p->at += (size_t)(end - line) + 1;
      p->n -= (size_t)(end - line) + 1;
      return line;
    }
    looked = p->n;
    if (fill(p, e))
      return NULL;
  }
}

static bool send_line(struct process *p, const char *format, va_list ap)
{
  char *line = xvprintf(format, ap);
  const size_t n = strlen(line);
  line[n] = '\n';
  ssize_t sent = send(p->socket, line, n + 1, MSG_NOSIGNAL);
  free(line);
  return sent == (ssize_t)n + 1;
}

const char *process_ask(struct process *p, struct error *e, const char *format, ...)
{
  va_list ap;
  va_start(ap, format);
  bool sent = send_line(p, format, ap);
  va_end(ap);
  return sent ? process_line(p, e) : (fail_ended(p, e), NULL);
}

void process_send(struct process *p, const char *format, ...)
{
  va_list ap;
  va_start(ap, format);
  (void)send_line(p, format, ap); /* whoever listens will find out */
  va_end(ap);
  p->ahead = true;
}

/* Lines that have arrived. */
static unsigned count_lines(const struct process *p)
{
  unsigned n = 0;
  for (size_t i = p->at; i < p->at + p->n; i++)
    n += p->buffer[i] == '\n';
  return n;
}

void process_settle(unsigned lines)
{
  for (struct process *p = all; p; p = p->next) {
    struct error ignored = {0};
    while (p->ahead && count_lines(p) < lines && !fill(p, &ignored))
      ;
    error_free(&ignored);
  }
}

void process_events(struct process *p)
{
  handle_events(p);
}

int process_read(struct process *p, void *out, size_t n, struct error *e)
{
  unsigned char *to = out;
  while (n) {
    if (!p->n && fill(p, e))
      return -1;
    size_t part = p->n < n ? p->n : n;
    memcpy(to, p->buffer + p->at, part);
    p->at += part;
    p->n -= part;
    to += part;
    n -= part;
  }
  return 0;
}

bool process_copy(struct process *p, uint64_t from, void *to, size_t n)
{
  return !p->o->host && !p->o->runner && !p->displaced.setting.memcheck &&
         child_read(p->pid, from, to, n);
}

uint64_t process_fault(const struct process *p)
{
  const struct displacement *d = &p->displaced;
  bool same = p->ended && WIFSIGNALED(p->status) && WTERMSIG(p->status) == d->fault_signal;
  return same && p->pid == d->fault_pid ? d->fault : 0;
}

static char *host_path(const struct options *o, const struct library *lib)
{
  if (o->host)
    return realpath(o->host, NULL);
  char *dir = turf_lib_dir();
  char *path = xprintf("%s/turf/host-%s-%s", dir, lib->machine->host,
                       lib->is_static           ? "static"
                       : lib->libc == LIBC_MUSL ? "musl"
                                                : "glibc");
  free(dir);
  return path;
}

/* Instead of the host, valgrind with it; where that is is left to PATH. */
static void become_memcheck(const char *host, char **host_argv, char **env)
{
  const char *argv[16] = {"valgrind",
                          "-q",
                          "--tool=memcheck",
                          "--vgdb=no",
                          "--leak-check=no",
                          "--soname-synonyms=somalloc=nouserintercepts",
                          host};
  size_t n = 7;
  for (size_t i = 1; host_argv[i] && n < 15; i++)
    argv[n++] = host_argv[i];
  execvpe(argv[0], (char **)(uintptr_t)argv, env);
}

char *runner_words(const char *runner)
{
  struct bytes out = {0};
  char *words = xstrdup(runner);
  for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
    char *whole = *word != '/' && strchr(word, '/') ? realpath(word, NULL) : NULL;
    put_bytes(&out, " ", out.n ? 1 : 0);
    put_bytes(&out, whole ? whole : word, strlen(whole ? whole : word));
    free(whole);
  }
  put_bytes(&out, "", 1);
  free(words);
  return (char *)out.at;
}

/* The words of --runner, then the host.  qemu's emulators of user space give the process another name. */
static void become_runner(const char *runner, const char *host, char **host_argv, char **env)
{
  enum { ROOM = 64 };
  const char *argv[ROOM];
  size_t n = 0;
  for (char *word = strtok(xstrdup(runner), " "); word && n < ROOM / 2; word = strtok(NULL, " "))
    argv[n++] = word;
  const char *slash = strrchr(argv[0], '/');
  if (strncmp(slash ? slash + 1 : argv[0], "qemu-", 5) == 0) {
    argv[n++] = "-0";
    argv[n++] = host_argv[0];
  }
  argv[n++] = host;
  for (size_t i = 1; host_argv[i] && n < ROOM - 1; i++)
    argv[n++] = host_argv[i];
  argv[n] = NULL;
  execvpe(argv[0], (char **)(uintptr_t)argv, env);
}

/* Leaves the host no descriptor between the standard ones and its own but that of the layout, if any. */
static int pass_layout(const struct layout *layout)
{
  if (!layout)
    return close_range(3, HOST_FD - 1, 0);
  int fd =
      layout->fd == URF_LAYOUT_FD ? fcntl(layout->fd, F_SETFD, 0) : dup2(layout->fd, URF_LAYOUT_FD);
  return fd < 0 ? -1 : close_range(3, URF_LAYOUT_FD - 1, 0);
}
_Static_assert(URF_LAYOUT_FD == HOST_FD - 1, "none lies between them");

/* The host's last argument: what it shall do besides, see host.c. */
static char *letters_of(const struct options *o, const struct setting *s)
{
  return xprintf("-%s%s%s%s%s%s", o->falls_back ? "f" : "", s->watched ? "w" : "",
                 s->books & BOOK_BLOCKS ? "b" : "", s->books & BOOK_ALLOCATIONS ? "a" : "",
                 s->stacks ? ":" : "", s->stacks ? s->stacks : "");
}

/* What helps when the child could not become the host program, or become what shall run it. */
static char *cure_of(const struct process *p, int error, bool host)
{
  if (error == EBADF) /* what dup2(2) says of a descriptor beyond the limit */
    return xstrdup("; it has to have descriptor 200: allow more of them (ulimit -n)");
  if (error == ENOENT && p->o->runner)
    return xstrdup(
        "; install what --runner names (qemu-...: Debian package qemu-user), or name another");
  if (error == EACCES && p->o->runner)
    return xstrdup("; what --runner names has to be a program, and executable (chmod +x)");
  if (error == ENOEXEC && host)
    return xprintf(
        "; it is a program for %s: give --runner what runs those, such as 'qemu-%s -L DIRECTORY'"
        " with the directory that has their libc",
        p->lib->machine->name, p->lib->machine->host);
  return xstrdup("");
}

/* The child, up to execve(2).  What fails is told over the socket. */
static _Noreturn void become_host(const struct process *p, const char *host, int socket, int output)
{
  const struct options *o = p->o;
  const struct displacement *d = &p->displaced;
  /* name and number of arguments are the process's own: what init makes of them has to differ */
  const unsigned arguments = d->setting.steady ? 1 : d->setting.seed;
  char *argv[8] = {xprintf("host-%u", arguments + (d->setting.varied == THING_NAME)),
                   xprintf("%d", HOST_FD), p->path, letters_of(o, &d->setting)};
  for (unsigned i = 0; i < arguments % 4; i++)
    argv[4 + i] = (char *)"-";
  char **env = xalloc((o->env.n + 1) * sizeof *env);
  for (size_t i = 0; i < o->env.n; i++)
    env[i] = (char *)o->env.at[i];
  sigset_t none;
  sigemptyset(&none);
  for (int i = 1; i < NSIG; i++) /* an ignored one would stay so */
    (void)signal(i, SIG_DFL);
  const char *runner = o->runner ? runner_words(o->runner) : NULL; /* in turf's directory */
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const char *what = host;
  if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) || null < 0 || dup2(null, 0) < 0 ||
      dup2(output, 1) < 0 || dup2(output, 2) < 0 || dup2(socket, HOST_FD) < 0 ||
      pass_layout(d->setting.layout) || close_range(HOST_FD + 1, ~0u, 0) ||
      sigprocmask(SIG_SETMASK, &none, NULL) || trace_me(d))
    what = "the host process";
  else if (chdir(o->cwd ? o->cwd : "/"))
    what = o->cwd;
  else if (d->setting.memcheck) {
    what = "valgrind, for --memcheck (Debian package valgrind)";
    become_memcheck(host, argv, env);
  } else if (o->runner) {
    what = runner;
    become_runner(runner, host, argv, env);
  } else
    execve(host, argv, env);
  char *cure = cure_of(p, errno, what == host);
  const char *why = strerror(errno);
  const int to = fcntl(socket, F_GETFD) < 0 ? HOST_FD : socket; /* it may be closed by now */
  dprintf(to, "system %s: %s%s\n", what, why, cure);
  _exit(1);
}

/* Up to the point where the child is stopped and traced. */
static int launch(struct process *p, const char *host, struct error *e)
{
  int pair[2], status;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
    return fail_errno(e, host, "socketpair");
  p->socket = pair[0];
  p->output = memfd_create("output", MFD_CLOEXEC);
  p->pid = p->output < 0 ? -1 : fork();
  if (p->pid == 0) {
    /* a descriptor that stands where the host's shall go is moved out of the way, if it can be */
    int socket = fcntl(pair[1], F_DUPFD_CLOEXEC, HOST_FD + 1),
        output = fcntl(p->output, F_DUPFD_CLOEXEC, HOST_FD + 1);
    become_host(p, host, socket < 0 ? pair[1] : socket, output < 0 ? p->output : output);
  }
  close(pair[1]);
  p->displaced.pid = p->pid;
  if (p->pid < 0)
    return fail_errno(e, host, "cannot be started");
  while (waitpid(p->pid, &status, __WALL) < 0)
    if (errno != EINTR)
      return fail_errno(e, host, "waitpid");
  if (!WIFSTOPPED(status)) {
    p->ended = true;
    p->status = status;
  } else if (trace_begin(p->pid))
    return fail_errno(e, host, "cannot be traced (ptrace)");
  return 0;
}

struct process *process_start(const struct options *o, const struct library *lib, const char *path,
                              const struct setting *s, struct error *e)
{
  struct process *p = xalloc(sizeof *p);
  *p = (struct process){.o = o, .lib = lib, .pid = -1, .socket = -1, .output = -1};
  char *host = host_path(o, lib);
  int cause = errno;
  p->path = lib->flagged ? program_copy(path, e) : realpath(path, NULL);
  p->copied = lib->flagged && p->path;
  p->doing = xstrdup("loading it");
  p->displaced = (struct displacement){.setting = *s,
                                       .fixed = o->fixed ? lib->preferred : 0,
                                       .narrow = lib->form.word == 4 && !o->runner,
                                       .emulated = o->runner != NULL,
                                       .guests = {.wanted = lib->form.word == 4 && o->runner},
                                       .library = p->path,
                                       .reserved = lib->hi - lib->preferred + lib->align,
                                       .image = lib->hi - lib->preferred};
  trace_prepare(&p->displaced);
  p->next = all;
  all = p;
  if (!p->path && lib->flagged)
    ;
  else if (!p->path)
    fail_errno(e, path, "cannot be found");
  else if ((!host && (errno = cause, true)) || access(host, X_OK))
    fail_errno(e, host ? host : o->host,
               o->host ? "--host"
                       : "there is no host program for the library's machine and libc (build turf "
                         "where a compiler for those is installed, or use --host)");
  else if (!(o->host && library_same_libc(lib, host, e)) && !launch(p, host, e)) {
    free(host);
    return p;
  }
  free(host);
  process_end(p);
  return NULL;
}

void process_end(struct process *p)
{
  if (!p)
    return;
  if (p->pid > 0 && !p->ended) {
    kill(-p->pid, SIGKILL);
    kill(p->pid, SIGKILL);
    for (int i = 0; i < 1000 && !p->ended; i++) {
      handle_events(p);
      if (!p->ended)
        poll(NULL, 0, i < 20 ? 1 : 10);
    }
  }
  if (p->o->verbose && p->output >= 0) {
    char *said = told(p);
    if (*said)
      fprintf(stderr, "%s says:%s\n", p->lib->path, said);
    free(said);
  }
  if (p->socket >= 0)
    close(p->socket);
  if (p->output >= 0)
    close(p->output);
  for (struct process **at = &all; *at; at = &(*at)->next)
    if (*at == p) {
      *at = p->next;
      break;
    }
  free(p->displaced.placed.at);
  free(p->displaced.made.at);
  if (p->copied)
    unlink(p->path);
  free(p->path);
  free(p->doing);
  free(p);
}
