/* The time that a traced process sees.
 *
 * Runs follow each other within milliseconds, so what init made of the time of day, or of the time
 * since the machine started, would be the same in all of them.  Every run but the first therefore has
 * clocks that go before the kernel's by an amount of its own.  They go before rather than after them,
 * and by little, because files that init writes have the kernel's time; points in time that it gives to
 * the kernel are put back for the call.
 *
 * A steady clock goes by the calls that ask for it: processes that make the same calls are told the
 * same. */

#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <time.h>

#include "trace.h"
#include "tracer.h"

#define SECOND ((int64_t)1000000000)
/* A call with a point in time in place of a duration, when that bit of the flags is set. */
#define ABSOLUTE(call) IF(JEQ, call, 0, 4), LOAD(args[1]), IF(JSET, 1, 0, 1), TRACE, ALLOW

/* What a steady clock goes on by at each call, and how many there are; those up to CLOCK_TAI. */
enum { STEP = 1000000, CLOCKS = CLOCK_TAI + 1 };

/* Where steady clocks begin, in nanoseconds, the same for all processes. */
struct start {
  int64_t at[CLOCKS];
  int64_t lead;      /* of all of them before the kernel's */
  int64_t monotonic; /* of the kernel, at that moment */
};

int64_t clock_shift(unsigned run)
{
  return SECOND * (run == 2 ? 3662 : 61L * (run % 11)); /* also another minute, another hour */
}

size_t clock_filter(struct sock_filter *to, size_t room)
{
  const struct sock_filter code[] = {
      IF(JEQ, SYS_gettimeofday, 0, 1),
      TRACE,
      IF(JEQ, SYSCALL_TIME, 0, 1),
      TRACE,
      /* not the clocks of processes and threads */
      IF(JEQ, SYS_clock_gettime, 0, 6),
      LOAD(args[0]),
      IF(JEQ, CLOCK_PROCESS_CPUTIME_ID, 3, 0),
      IF(JEQ, CLOCK_THREAD_CPUTIME_ID, 2, 0),
      IF(JGT, CLOCK_TAI, 1, 0),
      TRACE,
      ALLOW,
      IF(JEQ, SYS_futex, 0, 8),
      LOAD(args[1]),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 127),
      IF(JEQ, FUTEX_WAIT_BITSET, 3, 0),
      IF(JEQ, FUTEX_LOCK_PI, 2, 0),
      IF(JEQ, FUTEX_WAIT_REQUEUE_PI, 1, 0),
      IF(JEQ, FUTEX_LOCK_PI2, 0, 1),
      TRACE,
      ALLOW,
      ABSOLUTE(SYS_clock_nanosleep),
      ABSOLUTE(SYS_timerfd_settime),
      ABSOLUTE(SYS_timer_settime),
      IF(JEQ, SYS_sysinfo, 0, 1),
      TRACE,
      IF(JEQ, SYS_mq_timedsend, 0, 1),
      TRACE,
      IF(JEQ, SYS_mq_timedreceive, 0, 1),
      TRACE,
  };
  const size_t n = sizeof code / sizeof *code;
  for (size_t i = 0; i < n && i < room; i++)
    to[i] = code[i];
  return n;
}

/* The same of a call of a process of 32 bits, for which the filter does not look at arguments. */
static bool is_wanted(const struct user_regs_struct *regs, const struct clock *c)
{
  switch (regs->REG_SYSCALL) {
  case SYS_clock_gettime:
    return c->steady || (regs->REG_ARG1 != CLOCK_PROCESS_CPUTIME_ID &&
                         regs->REG_ARG1 != CLOCK_THREAD_CPUTIME_ID && regs->REG_ARG1 <= CLOCK_TAI);
  case SYS_futex:
    switch (regs->REG_ARG2 & 127) {
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_LOCK_PI2: return true;
    }
    return false;
  case SYS_clock_nanosleep:
  case SYS_timerfd_settime:
  case SYS_timer_settime: return regs->REG_ARG2 & 1;
  }
  return true;
}

static int64_t nanoseconds(struct timespec t)
{
  return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

static int64_t kernel_time(clockid_t id)
{
  struct timespec t = {0};
  (void)clock_gettime(id, &t);
  return nanoseconds(t);
}

/* Ten minutes and ten seconds past an hour, so that a second, a minute or an hour more changes one digit
 * of the time of day. */
static int64_t round_hour(int64_t now)
{
  enum { HOUR = 3600 };
  int64_t hour = now / SECOND / HOUR + 1;
  while (hour % 24 % 10 == 9 || hour % 24 == 23)
    hour++;
  return (hour * HOUR + 610) * SECOND;
}

static const struct start *start(void)
{
  static struct start s;
  if (s.lead)
    return &s;
  for (clockid_t id = 0; id < CLOCKS; id++)
    s.at[id] = kernel_time(id);
  s.monotonic = s.at[CLOCK_MONOTONIC];
  s.at[CLOCK_REALTIME_COARSE] = s.at[CLOCK_REALTIME];
  s.lead = round_hour(s.at[CLOCK_REALTIME]) - s.at[CLOCK_REALTIME];
  for (clockid_t id = 0; id < CLOCKS; id++) /* whole seconds, so that no unit is rounded */
    s.at[id] = (s.at[id] + s.lead) / SECOND * SECOND;
  s.at[CLOCK_PROCESS_CPUTIME_ID] = s.at[CLOCK_THREAD_CPUTIME_ID] =
      SECOND; /* 0 might go unnoticed */
  return &s;
}

/* Of the process's clock before the kernel's, in nanoseconds. */
static int64_t ahead(const struct clock *c)
{
  if (!c->steady)
    return c->shift;
  const int64_t passed = kernel_time(CLOCK_MONOTONIC) - start()->monotonic;
  return start()->lead + c->shift + (int64_t)c->calls * STEP - passed;
}

static bool is_of_cpu(clockid_t id)
{
  return id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID;
}

enum thing clock_thing(const struct user_regs_struct *regs)
{
  return regs->REG_SYSCALL == SYS_clock_gettime && is_of_cpu((clockid_t)regs->REG_ARG1)
             ? THING_CPU
             : THING_TIME;
}

/* What the clock shows to a process that asks. */
static struct timespec show(struct clock *c, clockid_t id)
{
  const int64_t shift = is_of_cpu(id) ? c->used : c->shift;
  int64_t t =
      c->steady ? start()->at[id] + shift + (int64_t)c->calls++ * STEP : kernel_time(id) + shift;
  return (struct timespec){t / SECOND, t % SECOND};
}

/* n numbers as the call has them: words of 64 bits, or, for a call of old, of 32. */
static bool read_numbers(int pid, const struct user_regs_struct *regs, uint64_t from, int64_t *to,
                         size_t n)
{
  int32_t half[4];
  if (!is_old(regs))
    return child_read(pid, from, to, n * sizeof *to);
  if (!child_read(pid, from, half, n * sizeof *half))
    return false;
  for (size_t i = 0; i < n; i++)
    to[i] = half[i];
  return true;
}

static bool write_numbers(int pid, const struct user_regs_struct *regs, uint64_t to,
                          const int64_t *from, size_t n)
{
  int32_t half[4];
  for (size_t i = 0; i < n; i++)
    half[i] = (int32_t)from[i];
  return is_old(regs) ? child_write(pid, to, half, n * sizeof *half)
                      : child_write(pid, to, from, n * sizeof *from);
}

static void give_time(int pid, struct user_regs_struct *regs, struct clock *c)
{
  bool good = true;
  if (regs->REG_SYSCALL == SYS_clock_gettime) {
    const clockid_t id = (clockid_t)regs->REG_ARG1;
    struct timespec t;
    if (id < 0 || id >= CLOCKS || clock_gettime(id, &t))
      return;
    t = show(c, id);
    good = write_numbers(pid, regs, regs->REG_ARG2, (int64_t[]){t.tv_sec, t.tv_nsec}, 2);
  } else if (regs->REG_SYSCALL == SYS_gettimeofday) {
    struct timezone zone = {0};
    struct timespec t = show(c, CLOCK_REALTIME);
    gettimeofday(&(struct timeval){0}, &zone);
    good = (!regs->REG_ARG1 ||
            write_numbers(pid, regs, regs->REG_ARG1, (int64_t[]){t.tv_sec, t.tv_nsec / 1000}, 2)) &&
           (!regs->REG_ARG2 || child_write(pid, regs->REG_ARG2, &zone, sizeof zone));
  } else {
    const int64_t now = show(c, CLOCK_REALTIME).tv_sec;
    good = !regs->REG_ARG1 || write_numbers(pid, regs, regs->REG_ARG1, &now, 1);
    child_give(pid, regs, good ? now : -EFAULT);
    return;
  }
  child_give(pid, regs, good ? 0 : -EFAULT);
}

/* The register with the address of a point in time, or of a timer, which has one behind an interval; NULL
 * for none.  *n numbers are there. */
static unsigned long long *deadline_of(struct user_regs_struct *regs, size_t *n)
{
  const bool cpu = regs->REG_ARG1 == CLOCK_PROCESS_CPUTIME_ID ||
                   regs->REG_ARG1 == CLOCK_THREAD_CPUTIME_ID || regs->REG_ARG1 > CLOCK_TAI;
  *n = 2;
  switch (regs->REG_SYSCALL) {
  case SYS_futex: return &regs->REG_ARG4;
  case SYS_clock_nanosleep: return cpu ? NULL : &regs->REG_ARG3;
  case SYS_timerfd_settime:
  case SYS_timer_settime: *n = 4; return &regs->REG_ARG3;
  case SYS_mq_timedsend:
  case SYS_mq_timedreceive: return &regs->REG_ARG5;
  }
  return NULL;
}

/* What stands below the stack of a thread while it waits: others may look at the thread's own deadline.
 * Beyond the 128 bytes that a function may use (psABI AMD64, 3.2.2). */
struct scratch {
  int64_t time[4];
  unsigned long long address; /* of the deadline, as the call had it */
};

static uint64_t scratch_of(const struct user_regs_struct *regs)
{
  return ((regs->REG_SP - 128) & ~(uint64_t)15) - sizeof(struct scratch);
}

/* Has the call use an earlier point in time; false when it has none. */
static bool move_deadline(int pid, struct user_regs_struct *regs, const struct clock *c)
{
  struct scratch s = {0};
  size_t n;
  unsigned long long *at = deadline_of(regs, &n);
  int64_t *last = &s.time[n - 2]; /* seconds, and nanoseconds */
  if (!at || !*at || !read_numbers(pid, regs, *at, s.time, n) || last[0] < 0 ||
      last[0] > INT64_MAX / SECOND / 2 || !(last[0] * SECOND + last[1]))
    return false;
  int64_t t = last[0] * SECOND + last[1] - ahead(c);
  if (t <= 0)
    t = 1; /* past, but not what takes a timer back */
  last[0] = t / SECOND;
  last[1] = t % SECOND;
  s.address = *at;
  *at = scratch_of(regs);
  return child_write(pid, *at, &s, sizeof s) && write_numbers(pid, regs, *at, s.time, n) &&
         child_set_call(pid, regs);
}

bool clock_begin(int pid, struct user_regs_struct *regs, struct clock *c)
{
  const unsigned long call = regs->REG_SYSCALL;
  if (is_narrow(regs) && (!is_wanted(regs, c) || !(c->shift || c->steady)))
    return false;
  if (call == SYS_clock_gettime || call == SYS_gettimeofday || call == SYSCALL_TIME) {
    give_time(pid, regs, c);
    return false;
  }
  return call == SYS_sysinfo || move_deadline(pid, regs, c);
}

void clock_end(int pid, struct user_regs_struct *regs, struct clock *c)
{
  struct scratch s;
  size_t n;
  if (regs->REG_SYSCALL == SYS_sysinfo) {
    const int64_t uptime = show(c, CLOCK_BOOTTIME).tv_sec;
    (void)write_numbers(pid, regs, regs->REG_ARG1, &uptime, 1);
    return;
  }
  unsigned long long *at = deadline_of(regs, &n);
  if (at && *at == scratch_of(regs) && child_read(pid, *at, &s, sizeof s)) {
    *at = s.address;
    (void)child_set_call(pid, regs);
  }
}
