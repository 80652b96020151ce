/* Displacing every mapping of a child by an amount of its own.
 *
 * A dynamic linker and an allocator ask the kernel for memory at any address (or, for a library
 * with a preferred base, give a hint); the kernel then packs the mappings side by side, so that
 * most of them move by the same amount from one run to the next.  Here a seccomp filter stops the
 * child at each such mmap, and the tracer fills in an address drawn from the seed.  Stack, break
 * and the dynamic linker itself are placed by the kernel's randomisation.  So is the vDSO, but
 * Linux 6.18 puts it next to the dynamic linker: it is moved before the first instruction of that.
 * */

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
#include <unistd.h>

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

/* The first three runs have the library at b, b + D and b + 2 D modulo 2^44, D being a third of
 * that: so each bit of an address in it has both values, and what depends on one bit (a hash, an
 * index) differs in some run.  The bits above are counted through. */
static uint64_t place_of_library(const struct displacement *d)
{
  const uint64_t circle = (uint64_t)1 << 44, third = circle / 3, run = (d->seed - 1) % SEEDS;
  const uint64_t start = draw(0, (uint64_t)1 << 32) % circle; /* a repeated run's, too */
  return (LOWEST << run) +
         (start / d->align + run * (third / d->align)) % (circle / d->align) * d->align;
}

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
  uint64_t range = HIGHEST - LOWEST - (regs.REG_ARG2 & ~(uint64_t)4095);
  regs.REG_ARG1 = LOWEST + draw(d->seed, ++d->step) % range / d->align * d->align;
  if (file && (d->seed - 1) % SEEDS < 3 && is_library(pid, d, (int)regs.REG_ARG5))
    regs.REG_ARG1 = place_of_library(d);
  (void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

/* One instruction of the child. */
static bool step_over(int pid)
{
  int status;
  return !ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) && waitpid(pid, &status, __WALL) == pid &&
         WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

/* mremap(2) in the child, whose next instruction is a system call; it is executed again next time.
 * */
static bool move_mapping(int pid, const struct user_regs_struct *saved, uint64_t from,
                         uint64_t size, uint64_t to)
{
  struct user_regs_struct regs = *saved;
  regs.REG_RESULT = SYS_mremap;
  regs.REG_SYSCALL = (unsigned long)-1;
  regs.REG_ARG1 = from;
  regs.REG_ARG2 = regs.REG_ARG3 = size;
  regs.REG_ARG4 = MREMAP_MAYMOVE | MREMAP_FIXED;
  regs.REG_ARG5 = to;
  return !ptrace(PTRACE_SETREGS, pid, NULL, &regs) && step_over(pid) &&
         !ptrace(PTRACE_GETREGS, pid, NULL, &regs) && regs.REG_RESULT == to;
}

/* The vDSO and the data it reads, which stand side by side (vdso(7)): their mappings, at most n. */
static size_t find_vdso(int pid, uint64_t (*range)[2], size_t n)
{
  char *path = xprintf("/proc/%d/maps", pid), line[512];
  FILE *f = fopen(path, "re");
  size_t found = 0;
  while (f && fgets(line, sizeof line, f) && found < n)
    if ((strstr(line, "[vdso]") || strstr(line, "[vvar")) &&
        sscanf(line, "%" SCNx64 "-%" SCNx64, &range[found][0], &range[found][1]) == 2)
      found++;
  if (f)
    fclose(f);
  free(path);
  return found;
}

/* AT_SYSINFO_EHDR of the auxiliary vector, which follows arguments and environment on the stack of
 * a program that begins (psABI AMD64, 3.4.1). */
static void tell_of_vdso(int pid, uint64_t stack, uint64_t by)
{
  const unsigned word = sizeof(long);
  errno = 0; /* which says that the child has gone */
  stack += ((uint64_t)ptrace(PTRACE_PEEKDATA, pid, stack, NULL) + 2) * word;
  while (ptrace(PTRACE_PEEKDATA, pid, stack, NULL) && !errno)
    stack += word;
  stack += word;
  for (long type; !errno && (type = ptrace(PTRACE_PEEKDATA, pid, stack, NULL)); stack += 2 * word)
    if (type == AT_SYSINFO_EHDR) {
      uint64_t at = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, stack + word, NULL);
      (void)ptrace(PTRACE_POKEDATA, pid, stack + word, at + by);
      return;
    }
}

/* The first step ends the execve itself, whose result would overwrite the register of ours. */
static void displace_vdso(int pid, unsigned seed)
{
  struct user_regs_struct saved;
  uint64_t range[8][2];
  size_t n = find_vdso(pid, range, 8);
  if (!n || !step_over(pid) || ptrace(PTRACE_GETREGS, pid, NULL, &saved))
    return;
  const uint64_t page = 4096, to = LOWEST + draw(seed, 0) % (HIGHEST - LOWEST) / page * page;
  const long code = ptrace(PTRACE_PEEKTEXT, pid, saved.REG_IP, NULL);
  bool moved = true;
  for (size_t i = 0; i < n && moved; i++)
    moved = !ptrace(PTRACE_POKETEXT, pid, saved.REG_IP, (code & ~SYSCALL_MASK) | SYSCALL_CODE) &&
            move_mapping(pid, &saved, range[i][0], range[i][1] - range[i][0],
                         to + range[i][0] - range[0][0]);
  (void)ptrace(PTRACE_POKETEXT, pid, saved.REG_IP, code);
  (void)ptrace(PTRACE_SETREGS, pid, NULL, &saved);
  if (moved)
    tell_of_vdso(pid, saved.REG_SP, to - range[0][0]);
  else
    (void)kill(pid, SIGKILL); /* half of it has gone */
}

bool trace_event(int pid, int status, struct displacement *d)
{
  if (!WIFSTOPPED(status))
    return false;
  int sig = WSTOPSIG(status), event = status >> 16;
  if (event == PTRACE_EVENT_SECCOMP)
    displace(pid, d);
  else if (event == PTRACE_EVENT_EXEC)
    displace_vdso(pid, d->seed);
  else if (!event &&
           (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGABRT)) {
    struct user_regs_struct regs;
    if (!ptrace(PTRACE_GETREGS, pid, NULL, &regs))
      d->fault = regs.REG_IP, d->fault_signal = sig, d->fault_pid = pid;
  }
  /* an event and the stop of a new child are the tracer's; any other signal is the program's */
  long deliver = event || sig == SIGSTOP ? 0 : sig;
  (void)ptrace(PTRACE_CONT, pid, NULL, deliver);
  return true;
}
