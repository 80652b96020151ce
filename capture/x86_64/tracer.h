/* x86-64 as the machine that turf runs on: the registers of a stopped system call (ptrace(2), syscall(2)). */
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/user.h>

#define REG_IP rip
#define REG_SP rsp
#define REG_RESULT rax
#define REG_SYSCALL orig_rax
#define REG_ARG1 rdi
#define REG_ARG2 rsi
#define REG_ARG3 rdx
#define REG_ARG4 r10
#define REG_ARG5 r8
#define SYSCALL_ARCH AUDIT_ARCH_X86_64
#define SYSCALL_TIME SYS_time /* which younger machines do without */

/* rdtsc and rdtscp (Intel SDM, volume 2), where prctl(PR_SET_TSC) makes them fault */
#define COUNTER_INSTRUCTIONS                                                                       \
  {                                                                                                \
    {2, {0x0f, 0x31}},                                                                             \
    {                                                                                              \
      3,                                                                                           \
      {                                                                                            \
        0x0f, 0x01, 0xf9                                                                           \
      }                                                                                            \
    }                                                                                              \
  }
#define COUNTER_NAMES_CPU 3 /* the size of the one that also tells the CPU */
#define REG_COUNTER_LOW rax
#define REG_COUNTER_HIGH rdx
#define REG_COUNTER_CPU rcx

/* A process of 32 bits (i386), whose system calls have other numbers and registers: what they are here.  Of calls
 * with a time there are old ones, with 32 bits, which are marked. */
#define NARROW_ARCH AUDIT_ARCH_I386
#define NARROW_CS 0x23 /* kernel, arch/x86/include/asm/segment.h: __USER32_CS */
static const struct narrow_call {
  unsigned short number, here;
  bool old; /* it has a time of 32 bits */
} narrow_calls[] = {
    /* kernel, arch/x86/entry/syscalls/syscall_32.tbl */
    {192, SYS_mmap, false},
    {64, SYS_getppid, false},
    {13, SYS_time, true},
    {78, SYS_gettimeofday, true},
    {265, SYS_clock_gettime, true},
    {403, SYS_clock_gettime, false},
    {422, SYS_futex, false},
    {240, SYS_futex, true},
    {267, SYS_clock_nanosleep, true},
    {325, SYS_timerfd_settime, true},
    {260, SYS_timer_settime, true},
    {279, SYS_mq_timedsend, true},
    {280, SYS_mq_timedreceive, true},
    {407, SYS_clock_nanosleep, false},
    {411, SYS_timerfd_settime, false},
    {409, SYS_timer_settime, false},
    {418, SYS_mq_timedsend, false},
    {419, SYS_mq_timedreceive, false},
    {116, SYS_sysinfo, true},
    {20, SYS_getpid, false},
    {224, SYS_gettid, false},
    {147, SYS_getsid, false},
    {132, SYS_getpgid, false},
    {65, SYS_getpgrp, false},
    {37, SYS_kill, false},
    {238, SYS_tkill, false},
    {270, SYS_tgkill, false},
    {178, SYS_rt_sigqueueinfo, false},
    {335, SYS_rt_tgsigqueueinfo, false},
    {355, SYS_getrandom, false},
    {3, SYS_read, false},
    {180, SYS_pread64, false},
    {145, SYS_readv, false},
    {333, SYS_preadv, false},
    {378, SYS_preadv2, false},
};
enum { NARROW_CALLS = sizeof narrow_calls / sizeof *narrow_calls, NARROW_OLD = 1 << 16 };

static inline bool is_narrow(const struct user_regs_struct *regs)
{
  return regs->cs == NARROW_CS;
}

/* Registers that such a process has not: they hold the number that the call has there, and that mark. */
#define REG_NARROW r15

static inline bool is_old(const struct user_regs_struct *regs)
{
  return is_narrow(regs) && regs->REG_NARROW & NARROW_OLD;
}

/* From the registers of such a process to those of one of 64 bits, and back. */
static inline void widen(struct user_regs_struct *regs)
{
  const struct user_regs_struct was = *regs;
  regs->rdi = (unsigned)was.rbx;
  regs->rsi = (unsigned)was.rcx;
  regs->rdx = (unsigned)was.rdx;
  regs->r10 = (unsigned)was.rsi;
  regs->r8 = (unsigned)was.rdi;
  regs->r9 = (unsigned)was.rbp;
  regs->REG_NARROW = was.orig_rax & 0xffff;
  for (unsigned i = 0; i < NARROW_CALLS; i++)
    if (narrow_calls[i].number == was.orig_rax) {
      regs->orig_rax = narrow_calls[i].here;
      regs->REG_NARROW |= narrow_calls[i].old ? NARROW_OLD : 0;
      break;
    }
}

static inline void narrow(struct user_regs_struct *regs)
{
  const struct user_regs_struct was = *regs;
  regs->rbx = was.rdi;
  regs->rcx = was.rsi;
  regs->rdx = was.rdx;
  regs->rsi = was.r10;
  regs->rdi = was.r8;
  regs->rbp = was.r9;
  if (was.orig_rax != (unsigned long)-1) /* the call is not left out */
    regs->orig_rax = was.REG_NARROW & 0xffff;
}
