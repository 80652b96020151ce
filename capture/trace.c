/* Displacing every mapping of a child by an amount of its own.
 *
 * A dynamic linker and an allocator ask the kernel for memory at any address (or, for a library
 * with a preferred base, give a hint); the kernel then packs the mappings side by side, so that
 * most of them move by the same amount from one run to the next.  Here a seccomp filter stops the
 * child at each such mmap, and the tracer fills in an address drawn from the seed.  Stack, vDSO,
 * break and the dynamic linker itself are placed by the kernel's randomisation: each on its own,
 * but that Linux 6.18 puts the vDSO next to the dynamic linker. */

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "machine.h"
#include "turf.h"

/* User space that every kernel offers, less what the kernel itself likes to use at both ends. */
#define LOWEST 0x100000000000u
#define HIGHEST 0x600000000000u

int trace_me(void)
{
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYSCALL_ARCH, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
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
                       PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
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

static void displace(int pid, unsigned seed, uint64_t align, uint64_t *step)
{
  struct user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
    return;
  const unsigned long bound = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT | MAP_GROWSDOWN;
  bool file = (int)regs.REG_ARG5 >= 0;
  if (regs.REG_SYSCALL != SYS_mmap || regs.REG_ARG4 & bound || (regs.REG_ARG1 && !file) ||
      regs.REG_ARG2 > HIGHEST - LOWEST)
    return;
  uint64_t range = HIGHEST - LOWEST - (regs.REG_ARG2 & ~(uint64_t)4095);
  regs.REG_ARG1 = LOWEST + draw(seed, ++*step) % range / align * align;
  (void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

bool trace_event(int pid, int status, unsigned seed, uint64_t align, uint64_t *step,
                 uint64_t *fault)
{
  if (!WIFSTOPPED(status))
    return false;
  int sig = WSTOPSIG(status), event = status >> 16;
  if (event == PTRACE_EVENT_SECCOMP)
    displace(pid, seed, align, step);
  else if (!event &&
           (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGABRT)) {
    struct user_regs_struct regs;
    if (!ptrace(PTRACE_GETREGS, pid, NULL, &regs))
      *fault = regs.REG_IP;
  }
  /* an event and the stop of a new child are the tracer's; any other signal is the program's */
  long deliver = event || sig == SIGSTOP || sig == SIGTRAP ? 0 : sig;
  (void)ptrace(PTRACE_CONT, pid, NULL, deliver);
  return true;
}
