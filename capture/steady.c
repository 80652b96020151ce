/* What a traced process gets when it shall be the same in several processes: its id and its parent's,
 * random numbers, the processor's counter.
 *
 * The id that it is told is nobody's, so that a signal to it goes nowhere by mistake; in the calls that
 * send signals it is put right. */

#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include "trace.h"
#include "tracer.h"

/* Ids of processes are below 2^22 (kernel, include/linux/threads.h: PID_MAX_LIMIT). */
enum { NOBODY = (1 << 22) + 1234 };

size_t steady_filter(struct sock_filter *to, size_t room)
{
  const struct sock_filter code[] = {
      IF(JEQ, SYS_getpid, 16, 0),
      IF(JEQ, SYS_gettid, 15, 0),
      IF(JEQ, SYS_getsid, 14, 0),
      IF(JEQ, SYS_getpgid, 13, 0),
      IF(JEQ, SYS_getpgrp, 12, 0),
      IF(JEQ, SYS_kill, 11, 0),
      IF(JEQ, SYS_tkill, 10, 0),
      IF(JEQ, SYS_tgkill, 9, 0),
      IF(JEQ, SYS_rt_sigqueueinfo, 8, 0),
      IF(JEQ, SYS_rt_tgsigqueueinfo, 7, 0),
      IF(JEQ, SYS_getrandom, 6, 0),
      IF(JEQ, SYS_read, 5, 0),
      IF(JEQ, SYS_pread64, 4, 0),
      IF(JEQ, SYS_readv, 3, 0),
      IF(JEQ, SYS_preadv, 2, 0),
      IF(JEQ, SYS_preadv2, 1, 0),
      IF(JEQ, SYS_clock_gettime, 0, 1), /* of processes and threads, too */
      TRACE,
  };
  const size_t n = sizeof code / sizeof *code;
  for (size_t i = 0; i < n && i < room; i++)
    to[i] = code[i];
  return n;
}

void steady_me(void)
{
  (void)prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
}

static bool varies(const struct displacement *d, enum thing thing)
{
  return d->setting.varied == thing;
}

static long id_of(const struct displacement *d)
{
  return NOBODY + 4321 * varies(d, THING_PROCESS);
}

/* Calls that name a process, or a thread, before and behind the one that they name first. */
static void put_right(int pid, struct user_regs_struct *regs, const struct displacement *d)
{
  bool changed = false;
  if ((int)regs->REG_ARG1 == id_of(d))
    changed = true, regs->REG_ARG1 = (unsigned long)d->pid;
  else if (-(int)regs->REG_ARG1 == id_of(d)) /* the group */
    changed = true, regs->REG_ARG1 = (unsigned long)-d->pid;
  const bool two = regs->REG_SYSCALL == SYS_tgkill || regs->REG_SYSCALL == SYS_rt_tgsigqueueinfo;
  if (two && (int)regs->REG_ARG2 == id_of(d))
    changed = true, regs->REG_ARG2 = (unsigned long)d->pid;
  if (changed)
    (void)child_set_call(pid, regs);
}

enum { AT_MOST = 1 << 16 }; /* random bytes per call or piece */

/* The next random bytes, to that address of the process; what could not be written is left out. */
static long give_random(int pid, uint64_t to, uint64_t n, struct displacement *d)
{
  const unsigned seed = 1000 + varies(d, THING_RANDOM);
  uint64_t done = 0, word;
  while (done < n) {
    const size_t part = n - done < sizeof word ? (size_t)(n - done) : sizeof word;
    word = draw(seed, d->drawn++);
    if (!child_write(pid, to + done, &word, part))
      return done ? (long)done : -EFAULT;
    done += part;
  }
  return (long)n;
}

static bool is_random_device(int pid, int fd)
{
  char link[64], target[32];
  snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
  ssize_t n = readlink(link, target, sizeof target - 1);
  target[n < 0 ? 0 : n] = 0;
  return strcmp(target, "/dev/urandom") == 0 || strcmp(target, "/dev/random") == 0;
}

static void answer_random(int pid, struct user_regs_struct *regs, struct displacement *d)
{
  const bool call = regs->REG_SYSCALL == SYS_getrandom;
  const uint64_t to = call ? regs->REG_ARG1 : regs->REG_ARG2;
  const uint64_t n = call ? regs->REG_ARG2 : regs->REG_ARG3;
  d->asked |= THING_RANDOM;
  child_give(pid, regs, give_random(pid, to, n < AT_MOST ? n : AT_MOST, d));
}

/* Into several pieces of its memory; the call reads into the first IOV_MAX. */
static void answer_random_pieces(int pid, struct user_regs_struct *regs, struct displacement *d)
{
  const uint64_t pieces = regs->REG_ARG3 < IOV_MAX ? regs->REG_ARG3 : IOV_MAX;
  long done = 0;
  d->asked |= THING_RANDOM;
  for (uint64_t i = 0; i < pieces && done < AT_MOST; i++) {
    const unsigned word = is_narrow(regs) ? 4 : 8;
    unsigned char piece[16]; /* struct iovec */
    long n = -EFAULT;
    if (child_read(pid, regs->REG_ARG2 + i * 2 * word, piece, 2 * word)) {
      const uint64_t size = get_word(piece + word, native(word));
      n = give_random(pid, get_word(piece, native(word)), size < AT_MOST ? size : AT_MOST, d);
    }
    if (n < 0) {
      done = done ? done : n;
      break;
    }
    done += n;
  }
  child_give(pid, regs, done);
}

static void answer_id(int pid, struct user_regs_struct *regs, struct displacement *d)
{
  const unsigned long call = regs->REG_SYSCALL;
  const bool asks_other = (call == SYS_getsid || call == SYS_getpgid) && regs->REG_ARG1 &&
                          (int)regs->REG_ARG1 != id_of(d);
  d->asked |= THING_PROCESS;
  if (asks_other || (call == SYS_gettid ? pid != d->pid : !is_thread_of(pid, d->pid)))
    return;
  child_give(pid, regs, call == SYS_getppid ? id_of(d) - 1 : id_of(d));
}

bool steady_call(int pid, struct user_regs_struct *regs, struct displacement *d)
{
  switch (regs->REG_SYSCALL) {
  case SYS_getpid:
  case SYS_gettid:
  case SYS_getsid:
  case SYS_getpgid:
  case SYS_getpgrp:
  case SYS_getppid: answer_id(pid, regs, d); return true;
  case SYS_kill:
  case SYS_tkill:
  case SYS_tgkill:
  case SYS_rt_sigqueueinfo:
  case SYS_rt_tgsigqueueinfo: put_right(pid, regs, d); return true;
  case SYS_read:
  case SYS_pread64:
    if (is_random_device(pid, (int)regs->REG_ARG1))
      answer_random(pid, regs, d);
    return true;
  case SYS_readv:
  case SYS_preadv:
  case SYS_preadv2:
    if (is_random_device(pid, (int)regs->REG_ARG1))
      answer_random_pieces(pid, regs, d);
    return true;
  case SYS_getrandom: answer_random(pid, regs, d); return true;
  }
  return false;
}

void steady_exec(int pid, uint64_t random, const struct displacement *d)
{
  struct displacement at_start = *d; /* all programs begin alike */
  at_start.drawn = (uint64_t)1 << 40;
  (void)give_random(pid, random, 16, &at_start);
}

bool steady_fault(int pid, struct displacement *d)
{
  enum { TICKS = 1000000 };
  static const struct {
    unsigned char size, code[3];
  } instructions[] = COUNTER_INSTRUCTIONS;
  unsigned char code[3] = {0};
  struct user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
    return false;
  for (size_t n = sizeof code; n && !child_read(pid, regs.REG_IP, code, n);
       n--) /* the page may end */
    ;
  for (size_t i = 0; i < sizeof instructions / sizeof *instructions; i++) {
    if (memcmp(code, instructions[i].code, instructions[i].size) != 0)
      continue;
    const uint64_t from = ((uint64_t)1 << 50) + (varies(d, THING_COUNTER) ? draw(7, 0) >> 16 : 0);
    const uint64_t now = from + d->ticks++ * TICKS;
    d->asked |= THING_COUNTER;
    regs.REG_COUNTER_LOW = (uint32_t)now;
    regs.REG_COUNTER_HIGH = now >> 32;
    if (instructions[i].size == COUNTER_NAMES_CPU)
      regs.REG_COUNTER_CPU = 0;
    regs.REG_IP += instructions[i].size;
    return !ptrace(PTRACE_SETREGS, pid, NULL, &regs);
  }
  return false;
}
