/* x86-64 as the machine that turf runs on: the registers of a stopped system call (ptrace(2), syscall(2)). */
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
