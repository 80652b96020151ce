/* Displacing every mapping of a child by an amount of its own.
 *
 * A dynamic linker and an allocator ask the kernel for memory at any address (or, for a library
 * with a preferred base, give a hint); the kernel then packs the mappings side by side, so that
 * most of them move by the same amount from one run to the next.  Here a seccomp filter stops the
 * child at each such mmap, and the tracer fills in an address drawn from the seed.  Stack, break
 * and the dynamic linker itself are placed by the kernel's randomisation.
 *
 * Calls that ask for the time (see clock.c) or for the parent's process id are answered with another
 * number in each run.  The vDSO, which answers without a call, is not told of. */

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
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "trace.h"
#include "tracer.h"

/* User space that every kernel offers, less what the kernel itself likes to use at both ends. */
#define LOWEST 0x100000000000u
#define HIGHEST 0x600000000000u
#define CIRCLE ((uint64_t)1 << 44) /* LOWEST: a sixth of it all */

/* The same for a process. */
struct space {
  uint64_t lowest, highest;
  uint64_t circle; /* at most lowest */
  uint64_t most;   /* what is larger may be anywhere */
  unsigned above;  /* so many times lowest is behind the library in the first run */
};

static const struct space wide = {LOWEST, HIGHEST, CIRCLE, CIRCLE, 5};
/* Of 32 bits: the kernel places programs and their breaks between 5 and 6 times lowest. */
static const struct space narrow_space = {0x10000000, 0xf0000000, 0x10000000, 0x2000000, 6};

static const struct space *space_of(const struct displacement *d)
{
  return d->narrow ? &narrow_space : &wide;
}

/* Stack, break and dynamic linker at random addresses, or, where that can be had, at the same. */
static int place_by_kernel(const struct displacement *d, unsigned long now)
{
  const unsigned long random = now & ~(unsigned long)ADDR_NO_RANDOMIZE;
  if (d->setting.steady && d->setting.varied != THING_ADDRESS &&
      personality(random | ADDR_NO_RANDOMIZE) >= 0)
    return 0;
  return personality(random) < 0 ? -1 : 0;
}

/* Calls of a process of 32 bits all stop: what they are asked about is looked at afterwards. */
static size_t narrow_filter(struct sock_filter *to)
{
  enum { BODY = 1 + 2 * NARROW_CALLS + 1 };
  size_t n = 0;
  to[n++] = (struct sock_filter)IF(JEQ, NARROW_ARCH, 0, BODY);
  to[n++] = (struct sock_filter)LOAD(nr);
  for (size_t i = 0; i < NARROW_CALLS; i++) {
    to[n++] = (struct sock_filter)IF(JEQ, narrow_calls[i].number, 0, 1);
    to[n++] = (struct sock_filter)TRACE;
  }
  to[n++] = (struct sock_filter)ALLOW;
  return n;
}

int trace_me(const struct displacement *d)
{
  enum { ROOM = 124 + 3 + 2 * NARROW_CALLS };
  const struct sock_filter here[] = {
      IF(JEQ, SYSCALL_ARCH, 1, 0), ALLOW, LOAD(nr), IF(JEQ, SYS_mmap, 1, 0),
      IF(JEQ, SYS_getppid, 0, 1),  TRACE,
  };
  struct sock_filter code[ROOM] = {LOAD(arch)};
  size_t n = 1 + narrow_filter(code + 1);
  memcpy(code + n, here, sizeof here);
  n += sizeof here / sizeof *here;
  n += guests_filter(code + n, d);
  if (d->setting.steady)
    n += steady_filter(code + n, ROOM - n);
  if ((d->clock.shift || d->setting.steady) && n < ROOM)
    n += clock_filter(code + n, ROOM - n);
  if (n < ROOM)
    code[n++] = (struct sock_filter)ALLOW;
  struct sock_fprog program = {(unsigned short)n, code};
  int now = personality(0xffffffff);
  if (n >= ROOM || now < 0 || place_by_kernel(d, (unsigned long)now) ||
      ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP) ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    return -1;
  if (d->setting.steady)
    steady_me();
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

bool child_read(int pid, uint64_t from, void *to, size_t n)
{
  struct iovec here = {to, n}, there = {(void *)(uintptr_t)from, n};
  return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)n;
}

bool child_write(int pid, uint64_t to, const void *from, size_t n)
{
  struct iovec here = {(void *)(uintptr_t)from, n}, there = {(void *)(uintptr_t)to, n};
  return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)n;
}

bool child_get_call(int pid, struct user_regs_struct *regs)
{
  const bool good = !ptrace(PTRACE_GETREGS, pid, NULL, regs);
  if (good && is_narrow(regs))
    widen(regs);
  return good;
}

bool child_set_call(int pid, const struct user_regs_struct *regs)
{
  struct user_regs_struct now = *regs;
  if (is_narrow(regs))
    narrow(&now);
  return !ptrace(PTRACE_SETREGS, pid, NULL, &now);
}

void child_give(int pid, struct user_regs_struct *regs, long result)
{
  regs->REG_SYSCALL = (unsigned long)-1;
  regs->REG_RESULT = (unsigned long)result;
  (void)child_set_call(pid, regs);
}

uint64_t draw(unsigned seed, uint64_t step)
{
  uint64_t z = ((uint64_t)seed << 40) + step * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static unsigned run_of(const struct displacement *d)
{
  return (d->setting.seed - 1) % SEEDS;
}

int trace_parent(unsigned seed)
{
  return getpid() + (int)((seed - 1) % SEEDS) + 1;
}

void trace_prepare(struct displacement *d)
{
  const struct setting *s = &d->setting;
  d->clock = (struct clock){.steady = s->steady};
  if (s->varied == THING_CPU)
    d->clock.used = s->ahead;
  else
    d->clock.shift = s->steady ? s->ahead : clock_shift(run_of(d));
  d->asked = THING_ADDRESS | THING_RANDOM | THING_NAME | THING_OTHER;
}

/* The first three runs have the library at b, b + D and b + 2 D modulo 2^44, D being a third of
 * that and an odd multiple of the alignment: so each bit of an address in it has both values, and what
 * depends on one bit (a hash, an index) differs in some run.  The bits above are counted through. */
static uint64_t place_of_library(const struct displacement *d, const struct space *space)
{
  const uint64_t units = space->circle / d->setting.align, third = units / 3 | 1, run = run_of(d);
  const uint64_t start = draw(0, (uint64_t)1 << 32); /* a repeated run's, too */
  return (space->lowest << run) + (start + run * third) % units * d->setting.align;
}

/* Any other mapping: the second run has all bits of the first turned over, which also turns the order
 * of any two mappings round.  In the first run all are above the library, then below. */
static uint64_t place_of_mapping(const struct displacement *d, const struct space *space,
                                 uint64_t step, uint64_t size, uint64_t align)
{
  const uint64_t range = space->highest - space->lowest - (size & ~(uint64_t)4095);
  const uint64_t x = draw(0, step) % space->circle / align * align;
  if (d->setting.seed == 1 && size < space->most)
    return space->above * space->lowest + x;
  if (d->setting.seed == 2 && size < space->most)
    return space->lowest + (space->circle - align - x);
  if (d->setting.seed == 3 && size < space->most)
    return 2 * space->lowest + draw(d->setting.seed, step) % space->circle / align * align;
  return space->lowest + draw(d->setting.seed, step) % range / align * align;
}

/* The file to be mapped; "" for none. */
static void file_of(int pid, const struct user_regs_struct *regs, char name[4096])
{
  const int fd = (int)regs->REG_ARG5;
  char link[64];
  snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, fd);
  const ssize_t n = fd < 0 ? 0 : readlink(link, name, 4095);
  name[n < 0 ? 0 : n] = 0;
}

/* glibc asks for the library's file, or first for room that it finds an aligned place in; both with the
 * preferred base as a hint, if there is one.  An emulator asks for room for the file, too. */
static bool is_library(const struct displacement *d, const struct user_regs_struct *regs,
                       const char *file)
{
  if (*file)
    return strcmp(file, d->library) == 0;
  return regs->REG_ARG3 == PROT_NONE &&
         (regs->REG_ARG2 - d->reserved < 4096 || (d->emulated && regs->REG_ARG2 - d->image < 4096));
}

/* The nth mapping of a file, or of that size, has the same number in each run, whatever else one of them maps:
 * else its addresses would have nothing to do with each other. */
static uint64_t next_step(struct displacement *d, const char *file, uint64_t size, bool own)
{
  const uint64_t kind = XXH3_64bits_withSeed(*file ? (const void *)file : &size,
                                             *file ? strlen(file) : sizeof size, own);
  size_t i = 0;
  while (i < d->placed.n && d->placed.at[i].kind != kind)
    i++;
  if (i == d->placed.n)
    *PUSH(&d->placed) = (struct placed){kind, 0};
  return kind + d->placed.at[i].n++;
}

bool is_thread_of(int tid, int pid)
{
  if (tid == pid)
    return true;
  char *path = xprintf("/proc/%d/task/%d", pid, tid);
  bool is = access(path, F_OK) == 0;
  free(path);
  return is;
}

/* A thread of the process's that is about to begin. */
static void note_stack(int tid, struct displacement *d)
{
  struct user_regs_struct regs;
  if (tid == d->pid || !is_thread_of(tid, d->pid) || ptrace(PTRACE_GETREGS, tid, NULL, &regs))
    return;
  for (size_t i = 0; i < d->made.n; i++)
    if (regs.REG_SP - d->made.at[i].lo < d->made.at[i].size)
      d->made.at[i].stack = true;
}

/* An emulator of user space (qemu, linux-user/mmap.c) first reserves what its program asks for, at whatever
 * place the kernel gives, and goes on behind that the next time.  The program itself is the first, with room for
 * its break; other hints have come from the program. */
static bool is_for_program(const struct displacement *d, const struct user_regs_struct *regs)
{
  const unsigned long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  return d->emulated && regs->REG_ARG3 == PROT_NONE && (regs->REG_ARG4 & flags) == flags &&
         regs->REG_ARG1 && (!d->next || regs->REG_ARG1 == d->next);
}

/* The break would move with the program: when it gets another place than it has to have, it does not grow, and
 * allocators do without. */
static bool is_break(const struct displacement *d, const struct user_regs_struct *regs)
{
  return d->emulated && regs->REG_ARG1 && regs->REG_ARG1 - d->program < d->program_size;
}

bool trace_overlaps(const struct displacement *d, uint64_t lo, uint64_t size)
{
  for (size_t i = 0; i < d->made.n; i++)
    if (lo < d->made.at[i].lo + d->made.at[i].size && d->made.at[i].lo < lo + size)
      return true;
  return false;
}

/* Where there is little room, places that are taken, or the kernel's, are likely enough to be looked for, and
 * so is that of a library which is to have no other. */
static bool is_taken(const struct displacement *d, const struct space *space, uint64_t lo,
                     uint64_t size)
{
  if (d->fixed && lo < d->fixed + d->image && d->fixed < lo + size)
    return true;
  if (space == &wide)
    return false;
  if (lo < 6 * space->lowest && 5 * space->lowest < lo + size)
    return true;
  return trace_overlaps(d, lo, size);
}

static uint64_t free_place(const struct displacement *d, const struct space *space, uint64_t step,
                           uint64_t size, uint64_t align)
{
  enum { TRIES = 16 };
  uint64_t place = place_of_mapping(d, space, step, size, align);
  for (uint64_t i = 1; i < TRIES && is_taken(d, space, place, size); i++)
    place = place_of_mapping(d, space, step + (i << 48), size, align);
  return place;
}

uint64_t trace_place(const struct displacement *d, bool library, uint64_t step, uint64_t size)
{
  if (library && d->fixed)
    return d->fixed;
  if (library && run_of(d) < 3)
    return place_of_library(d, &narrow_space);
  return free_place(d, &narrow_space, step, size, library ? d->setting.align : 4096);
}

static void displace(int pid, struct displacement *d, struct user_regs_struct *regs)
{
  const unsigned long bound = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT | MAP_GROWSDOWN;
  const struct space *space = space_of(d);
  char file[4096];
  file_of(pid, regs, file);
  const bool library = is_library(d, regs, file);
  /* copies of the process that make experiments must not change where its own mappings are */
  const bool own = is_thread_of(pid, d->pid), next = own && is_for_program(d, regs);
  const bool first = next && !d->next;
  if (regs->REG_ARG4 & bound ||
      (regs->REG_ARG1 && !*file && !library && !next && !is_break(d, regs)) ||
      regs->REG_ARG2 > space->highest - space->lowest)
    return;
  const uint64_t step = next_step(d, file, regs->REG_ARG2, own);
  regs->REG_ARG1 = library && d->fixed        ? d->fixed
                   : library && run_of(d) < 3 ? place_of_library(d, space)
                                              : free_place(d, space, step, regs->REG_ARG2,
                                                           library ? d->setting.align : 4096);
  if (next)
    d->next = regs->REG_ARG1 + regs->REG_ARG2;
  if (first)
    d->program = regs->REG_ARG1, d->program_size = regs->REG_ARG2;
  if (own)
    *PUSH(&d->made) =
        (struct made){.lo = regs->REG_ARG1,
                      .size = regs->REG_ARG2,
                      .for_stack = regs->REG_ARG3 == PROT_NONE && regs->REG_ARG4 & MAP_STACK};
  (void)child_set_call(pid, regs);
}

/* At the start of a system call that the filter is about; true when its end matters, too. */
static bool call_begins(int pid, struct displacement *d)
{
  struct user_regs_struct regs;
  if (!child_get_call(pid, &regs))
    return false;
  if (guests_call(pid, &regs, d))
    ;
  else if (regs.REG_SYSCALL == SYS_mmap)
    displace(pid, d, &regs);
  else if (d->setting.steady && steady_call(pid, &regs, d))
    ;
  else if (regs.REG_SYSCALL != SYS_getppid) {
    d->asked |= clock_thing(&regs);
    return clock_begin(pid, &regs, &d->clock);
  } else if (is_thread_of(pid, d->pid)) /* a child of init's has its own parent */
    child_give(pid, &regs, trace_parent(d->setting.seed));
  return false;
}

static void call_ends(int pid, struct displacement *d)
{
  struct user_regs_struct regs;
  if (child_get_call(pid, &regs))
    clock_end(pid, &regs, &d->clock);
}

/* A word of the process's, 0 as well when it has gone. */
static uint64_t word_at(int pid, uint64_t at, unsigned word)
{
  unsigned char bytes[8] = {0};
  return child_read(pid, at, bytes, word) ? get_word(bytes, native(word)) : 0;
}

/* The auxiliary vector, which follows arguments and environment on the stack of a program that begins
 * (psABI AMD64, 3.4.1), without AT_SYSINFO_EHDR. */
static void change_auxv(int pid, struct displacement *d)
{
  struct user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
    return;
  const unsigned word = is_narrow(&regs) ? 4 : 8;
  const unsigned char ignore[8] = {AT_IGNORE};
  uint64_t stack = regs.REG_SP, type;
  stack += (word_at(pid, stack, word) + 2) * word;
  while (word_at(pid, stack, word))
    stack += word;
  stack += word;
  for (; (type = word_at(pid, stack, word)); stack += 2 * word)
    if (type == AT_SYSINFO_EHDR)
      (void)child_write(pid, stack, ignore, word);
    else if (type == AT_ENTRY && d->guests.wanted)
      guests_begin(pid, word_at(pid, stack + word, word), d);
    else if (type == AT_RANDOM && d->setting.steady)
      steady_exec(pid, word_at(pid, stack + word, word), d);
}

bool trace_event(int pid, int status, struct displacement *d)
{
  if (!WIFSTOPPED(status))
    return false;
  const int sig = WSTOPSIG(status), event = status >> 16;
  const bool end = !event && sig == (SIGTRAP | 0x80);
  struct user_regs_struct regs;
  bool wait_for_end = false, answered = false;
  if (event == PTRACE_EVENT_SECCOMP)
    wait_for_end = call_begins(pid, d);
  else if (event == PTRACE_EVENT_EXEC)
    change_auxv(pid, d);
  else if (end)
    call_ends(pid, d);
  else if (!event && sig == SIGSTOP)
    note_stack(pid, d);
  else if (!event && sig == SIGSEGV && d->setting.steady && steady_fault(pid, d))
    answered = true;
  else if (!event &&
           (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGABRT)) {
    if (!ptrace(PTRACE_GETREGS, pid, NULL, &regs))
      d->fault = regs.REG_IP, d->fault_signal = sig, d->fault_pid = pid;
  }
  /* an event and the stop of a new child are the tracer's; any other signal is the program's */
  long deliver = event || end || answered || sig == SIGSTOP ? 0 : sig;
  (void)ptrace(wait_for_end ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, deliver);
  return true;
}
