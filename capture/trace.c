/* Displacing every mapping of a child by an amount of its own, and its clocks.
 *
 * A dynamic linker and an allocator ask the kernel for memory at any address (or, for a library
 * with a preferred base, give a hint); the kernel then packs the mappings side by side, so that
 * most of them move by the same amount from one run to the next.  Here a seccomp filter stops the
 * child at each such mmap, and the tracer fills in an address drawn from the seed.  Stack, break
 * and the dynamic linker itself are placed by the kernel's randomisation.
 *
 * Runs follow each other within milliseconds, so what init made of the time of day or of its
 * parent's process id would be the same in all of them.  The calls that ask for those are stopped
 * as well, and answered with other numbers.  The vDSO, which answers without a call, is not told of. */

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"
#include "turf.h"

/* User space that every kernel offers, less what the kernel itself likes to use at both ends. */
#define LOWEST 0x100000000000u
#define HIGHEST 0x600000000000u
#define CIRCLE ((uint64_t)1 << 44) /* LOWEST: a sixth of it all */

/* System calls that the tracer has a hand in. */
static const unsigned watched[] = {SYS_mmap, SYS_clock_gettime, SYS_gettimeofday, SYSCALL_TIME,
                                   SYS_getppid};
enum { N_WATCHED = sizeof watched / sizeof *watched };

int trace_me(void)
{
  struct sock_filter code[N_WATCHED + 5] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYSCALL_ARCH, 0, N_WATCHED + 1),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
  };
  struct sock_filter *next = code + 3;
  for (unsigned i = 0; i < N_WATCHED; i++)
    *next++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, watched[i],
                                           (unsigned char)(N_WATCHED - i), 0);
  *next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  *next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
  struct sock_fprog program = {N_WATCHED + 5, code};
  int now = personality(0xffffffff);
  if (now < 0 || personality((unsigned long)now & ~(unsigned long)ADDR_NO_RANDOMIZE) < 0 ||
      ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP) ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    return -1;
  return 0;
}

int trace_begin(int pid)
{
  const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK |
                       PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                       PTRACE_O_TRACESYSGOOD;
  return ptrace(PTRACE_SETOPTIONS, pid, NULL, options) || ptrace(PTRACE_CONT, pid, NULL, NULL) ? -1
                                                                                               : 0;
}

/* SplitMix64 (Steele et al., OOPSLA 2014): a good value for every (seed, step). */
static uint64_t draw(unsigned seed, uint64_t step)
{
  uint64_t z = ((uint64_t)seed << 40) + step * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static unsigned run_of(const struct displacement *d)
{
  return (d->seed - 1) % SEEDS;
}

/* The first three runs have the library at b, b + D and b + 2 D modulo 2^44, D being a third of
 * that and an odd multiple of the alignment: so each bit of an address in it has both values, and what
 * depends on one bit (a hash, an index) differs in some run.  The bits above are counted through. */
static uint64_t place_of_library(const struct displacement *d)
{
  const uint64_t units = CIRCLE / d->align, third = units / 3 | 1, run = run_of(d);
  const uint64_t start = draw(0, (uint64_t)1 << 32); /* a repeated run's, too */
  return (LOWEST << run) + (start + run * third) % units * d->align;
}

/* Any other mapping: the second run has all bits of the first turned over, which also turns the order
 * of any two mappings round.  In the first run all are above the library, then below. */
static uint64_t place_of_mapping(const struct displacement *d, uint64_t size, uint64_t align)
{
  const uint64_t range = HIGHEST - LOWEST - (size & ~(uint64_t)4095);
  const uint64_t x = draw(0, d->step) % CIRCLE / align * align;
  if (d->seed == 1 && size < CIRCLE)
    return 5 * LOWEST + x;
  if (d->seed == 2 && size < CIRCLE)
    return LOWEST + (CIRCLE - align - x);
  if (d->seed == 3 && size < CIRCLE)
    return 2 * LOWEST + draw(d->seed, d->step) % CIRCLE / align * align;
  return LOWEST + draw(d->seed, d->step) % range / align * align;
}

/* glibc asks for the library's file, or first for room that it finds an aligned place in. */
static bool is_library(int pid, const struct displacement *d, int fd)
{
  char link[64], target[4096];
  snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
  ssize_t n = readlink(link, target, sizeof target - 1);
  target[n < 0 ? 0 : n] = 0;
  return strcmp(target, d->library) == 0;
}

static void displace(int pid, struct displacement *d)
{
  struct user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
    return;
  const unsigned long bound = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT | MAP_GROWSDOWN;
  bool file = (int)regs.REG_ARG5 >= 0;
  if (regs.REG_SYSCALL != SYS_mmap || regs.REG_ARG4 & bound || (regs.REG_ARG1 && !file) ||
      regs.REG_ARG2 > HIGHEST - LOWEST)
    return;
  d->step++;
  const bool library = file ? is_library(pid, d, (int)regs.REG_ARG5)
                            : regs.REG_ARG3 == PROT_NONE && regs.REG_ARG2 - d->reserved < 4096;
  regs.REG_ARG1 = library && run_of(d) < 3
                      ? place_of_library(d)
                      : place_of_mapping(d, regs.REG_ARG2, library ? d->align : 4096);
  (void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

/* A day, an hour, a minute and a second further back for each run: a deadline that is made of such a
 * time has passed, rather than never comes. */
static void shift_seconds(int pid, const struct displacement *d, uint64_t at, bool since_boot)
{
  errno = 0;
  long seconds = ptrace(PTRACE_PEEKDATA, pid, at, NULL), by = (run_of(d) % 11 + 1) * 90061L;
  if (since_boot)
    by = seconds / 2 < by % 61 ? seconds / 2 : by % 61;
  if (!errno)
    (void)ptrace(PTRACE_POKEDATA, pid, at, seconds - by);
}

/* At the end of a system call that was watched. */
static void answer(int pid, const struct displacement *d)
{
  struct user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) || (long)regs.REG_RESULT < 0)
    return;
  const unsigned long clock = regs.REG_ARG1;
  if (regs.REG_SYSCALL == SYS_clock_gettime) {
    const bool of_day = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
                        clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
    const bool cpu = clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
    if (!cpu && clock <= CLOCK_TAI)
      shift_seconds(pid, d, regs.REG_ARG2, !of_day);
  } else if (regs.REG_SYSCALL == SYS_gettimeofday && regs.REG_ARG1) {
    shift_seconds(pid, d, regs.REG_ARG1, false);
  } else if (regs.REG_SYSCALL == SYSCALL_TIME) {
    regs.REG_RESULT -= (run_of(d) % 11 + 1) * 90061L;
    if (regs.REG_ARG1)
      (void)ptrace(PTRACE_POKEDATA, pid, regs.REG_ARG1, regs.REG_RESULT);
  } else if (regs.REG_SYSCALL == SYS_getppid)
    regs.REG_RESULT += run_of(d) + 1;
  (void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

/* AT_SYSINFO_EHDR of the auxiliary vector, which follows arguments and environment on the stack of
 * a program that begins (psABI AMD64, 3.4.1). */
static void hide_vdso(int pid)
{
  const unsigned word = sizeof(long);
  struct user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
    return;
  uint64_t stack = regs.REG_SP;
  errno = 0; /* which says that the child has gone */
  stack += ((uint64_t)ptrace(PTRACE_PEEKDATA, pid, stack, NULL) + 2) * word;
  while (ptrace(PTRACE_PEEKDATA, pid, stack, NULL) && !errno)
    stack += word;
  stack += word;
  for (long type; !errno && (type = ptrace(PTRACE_PEEKDATA, pid, stack, NULL)); stack += 2 * word)
    if (type == AT_SYSINFO_EHDR)
      (void)ptrace(PTRACE_POKEDATA, pid, stack, AT_IGNORE);
}

bool trace_event(int pid, int status, struct displacement *d)
{
  if (!WIFSTOPPED(status))
    return false;
  int sig = WSTOPSIG(status), event = status >> 16, call_ends = !event && sig == (SIGTRAP | 0x80);
  struct user_regs_struct regs;
  bool to_the_end = false;
  if (event == PTRACE_EVENT_SECCOMP) {
    displace(pid, d);
    to_the_end = !ptrace(PTRACE_GETREGS, pid, NULL, &regs) && regs.REG_SYSCALL != SYS_mmap;
  } else if (event == PTRACE_EVENT_EXEC)
    hide_vdso(pid);
  else if (call_ends)
    answer(pid, d);
  else if (!event &&
           (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGABRT)) {
    if (!ptrace(PTRACE_GETREGS, pid, NULL, &regs))
      d->fault = regs.REG_IP, d->fault_signal = sig, d->fault_pid = pid;
  }
  /* an event and the stop of a new child are the tracer's; any other signal is the program's */
  long deliver = event || call_ends || sig == SIGSTOP ? 0 : sig;
  (void)ptrace(to_the_end ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, deliver);
  return true;
}
