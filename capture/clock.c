/* The time that a traced process sees.
 *
 * Runs follow each other within milliseconds, so what init made of the time of day, or of the time
 * since the machine started, would be the same in all of them.  Every run but the first therefore has
 * clocks that go before the kernel's by an amount of its own.  They go before rather than after them,
 * and by little, because files that init writes have the kernel's time; points in time that it gives to
 * the kernel are put back for the call. */

#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <time.h>

#include "machine.h"
#include "turf.h"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF(test, value, then, otherwise)                                                           \
  BPF_JUMP(BPF_JMP | BPF_##test | BPF_K, value, then, otherwise)
#define TRACE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* A call with a point in time in place of a duration, when that bit of the flags is set. */
#define ABSOLUTE(call) IF(JEQ, call, 0, 4), LOAD(args[1]), IF(JSET, 1, 0, 1), TRACE, ALLOW

long clock_shift(unsigned run)
{
  return run == 0 ? 0 : run == 2 ? 3662 : 61L * (run % 11); /* also another minute, another hour */
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

static bool write_to(int pid, uint64_t to, const void *from, size_t n)
{
  struct iovec here = {(void *)(uintptr_t)from, n}, there = {(void *)(uintptr_t)to, n};
  return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)n;
}

/* Has the process go on as if the call had given that result. */
static void give(int pid, struct user_regs_struct *regs, long result)
{
  regs->REG_SYSCALL = (unsigned long)-1;
  regs->REG_RESULT = (unsigned long)result;
  (void)ptrace(PTRACE_SETREGS, pid, NULL, regs);
}

static void give_time(int pid, struct user_regs_struct *regs, long shift)
{
  struct timespec t;
  struct timeval v;
  struct timezone zone;
  bool good = true;
  if (regs->REG_SYSCALL == SYS_clock_gettime) {
    if (clock_gettime((clockid_t)regs->REG_ARG1, &t)) {
      give(pid, regs, -errno);
      return;
    }
    t.tv_sec += shift;
    good = write_to(pid, regs->REG_ARG2, &t, sizeof t);
  } else if (regs->REG_SYSCALL == SYS_gettimeofday) {
    gettimeofday(&v, &zone);
    v.tv_sec += shift;
    good = (!regs->REG_ARG1 || write_to(pid, regs->REG_ARG1, &v, sizeof v)) &&
           (!regs->REG_ARG2 || write_to(pid, regs->REG_ARG2, &zone, sizeof zone));
  } else {
    const long now = time(NULL) + shift;
    good = !regs->REG_ARG1 || write_to(pid, regs->REG_ARG1, &now, sizeof now);
    give(pid, regs, good ? now : -EFAULT);
    return;
  }
  give(pid, regs, good ? 0 : -EFAULT);
}

/* The register with the address of a point in time, or of a timer, which has one behind an interval; NULL
 * for none.  *size is how much is there. */
static unsigned long long *deadline_of(struct user_regs_struct *regs, size_t *size)
{
  const bool cpu = regs->REG_ARG1 == CLOCK_PROCESS_CPUTIME_ID ||
                   regs->REG_ARG1 == CLOCK_THREAD_CPUTIME_ID || regs->REG_ARG1 > CLOCK_TAI;
  *size = sizeof(struct timespec);
  switch (regs->REG_SYSCALL) {
  case SYS_futex: return &regs->REG_ARG4;
  case SYS_clock_nanosleep: return cpu ? NULL : &regs->REG_ARG3;
  case SYS_timerfd_settime:
  case SYS_timer_settime: *size = sizeof(struct itimerspec); return &regs->REG_ARG3;
  case SYS_mq_timedsend:
  case SYS_mq_timedreceive: return &regs->REG_ARG5;
  }
  return NULL;
}

/* What stands below the stack of a thread while it waits: others may look at the thread's own deadline.
 * Beyond the 128 bytes that a function may use (psABI AMD64, 3.2.2). */
struct scratch {
  struct timespec time[2];
  unsigned long long address; /* of the deadline, as the call had it */
};

static uint64_t scratch_of(const struct user_regs_struct *regs)
{
  return ((regs->REG_SP - 128) & ~(uint64_t)15) - sizeof(struct scratch);
}

static bool read_from(int pid, uint64_t from, void *to, size_t n)
{
  struct iovec here = {to, n}, there = {(void *)(uintptr_t)from, n};
  return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)n;
}

/* Has the call use an earlier point in time; false when it has none. */
static bool move_deadline(int pid, struct user_regs_struct *regs, long shift)
{
  struct scratch s = {0};
  size_t size;
  unsigned long long *at = deadline_of(regs, &size);
  struct timespec *last = &s.time[size / sizeof s.time[0] - 1];
  if (!at || !*at || !read_from(pid, *at, s.time, size) || last->tv_sec < shift)
    return false;
  last->tv_sec -= shift;
  s.address = *at;
  *at = scratch_of(regs);
  return write_to(pid, *at, &s, sizeof s) && !ptrace(PTRACE_SETREGS, pid, NULL, regs);
}

bool clock_begin(int pid, struct user_regs_struct *regs, long shift)
{
  const unsigned long call = regs->REG_SYSCALL;
  if (call == SYS_clock_gettime || call == SYS_gettimeofday || call == SYSCALL_TIME) {
    give_time(pid, regs, shift);
    return false;
  }
  return call == SYS_sysinfo || move_deadline(pid, regs, shift);
}

void clock_end(int pid, struct user_regs_struct *regs, long shift)
{
  struct scratch s;
  long uptime;
  size_t size;
  if (regs->REG_SYSCALL == SYS_sysinfo) {
    if (read_from(pid, regs->REG_ARG1, &uptime, sizeof uptime)) {
      uptime += shift;
      (void)write_to(pid, regs->REG_ARG1, &uptime, sizeof uptime);
    }
    return;
  }
  unsigned long long *at = deadline_of(regs, &size);
  if (at && *at == scratch_of(regs) && read_from(pid, *at, &s, sizeof s)) {
    *at = s.address;
    (void)ptrace(PTRACE_SETREGS, pid, NULL, regs);
  }
}
