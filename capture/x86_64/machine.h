/* x86-64 as the freezer sees it: the registers of a stopped system call (ptrace(2), syscall(2)). */
#ifndef TURF_MACHINE_H
#define TURF_MACHINE_H

#define NATIVE_MACHINE 62  /* EM_X86_64 */
#define HOST_NAME "x86_64" /* in the names of the host programs */
#define MACHINE_NAME "x86-64"
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
/* A request to valgrind (valgrind.h, which is in its manual, 3.1): what to do is in rax, the result, 0
 * elsewhere, in rdx; to a processor these turn rdi round once, and exchange a register with itself */
#define VALGRIND_REQUEST(result, request)                                                          \
  __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi\n"           \
                   "xchgq %%rbx, %%rbx"                                                            \
                   : "=d"(result)                                                                  \
                   : "a"(request), "0"(0ul)                                                        \
                   : "cc", "memory")

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
/* What a thread has asked of its floating-point units: rounding, precision, traps (psABI AMD64, 3.2.3),
 * without the flags of what has happened. */
#define READ_FLOAT(x87, sse) __asm__ volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(x87), "=m"(sse))
#define FLOAT_X87 0x0f3fu
#define FLOAT_SSE 0xffc0u
/* The thread pointer, by arch_prctl(2): ARCH_GET_FS, ARCH_SET_FS (asm/prctl.h).  No call of libc, which might
 * want the old one. */
#define THREAD_POINTER_CALL(code, value)                                                           \
  ({                                                                                               \
    long result_ = 158;                                                                            \
    __asm__ volatile("syscall" : "+a"(result_) : "D"(code), "S"(value) : "rcx", "r11", "memory");  \
    (void)result_;                                                                                 \
  })
#define THREAD_POINTER_GET(variable) THREAD_POINTER_CALL(0x1003, &(variable))
#define THREAD_POINTER_SET(value) THREAD_POINTER_CALL(0x1002, value)
/* Where a program's thread-local variables are (ELF Handling For Thread-Local Storage, variant II): below the
 * thread pointer, aligned as in the file. */
#define TLS_BLOCK(thread, address, size, align)                                                    \
  ((const void *)((thread) - ((size) + (-(uintptr_t)((size) + (address)) & ((align)-1)))))
/* What the kernel does last (psABI AMD64, 3.4.1): rdx has no function for atexit. */
#define PROGRAM_START(stack, entry)                                                                \
  __asm__ volatile("mov %0, %%rsp\n\txor %%edx, %%edx\n\txor %%ebp, %%ebp\n\tjmp *%1"              \
                   :                                                                               \
                   : "r"(stack), "r"((uintptr_t)(entry))                                           \
                   : "rdx", "memory")
/* Those that calls keep (psABI AMD64, 3.2.1), but for the one that may be the frame pointer. */
#define FORGET_REGISTERS()                                                                         \
  __asm__ volatile("xor %%ebx, %%ebx\n\txor %%r12d, %%r12d\n\txor %%r13d, %%r13d\n\t"              \
                   "xor %%r14d, %%r14d\n\txor %%r15d, %%r15d"                                      \
                   :                                                                               \
                   :                                                                               \
                   : "rbx", "r12", "r13", "r14", "r15", "cc")
/* mov to rax, jump there */
#define JUMP_SIZE 12
#define JUMP_MAKE(code, target)                                                                    \
  do {                                                                                             \
    const uint64_t target_ = (uintptr_t)(target);                                                  \
    memcpy(code, "\x48\xb8--------\xff\xe0", JUMP_SIZE);                                           \
    memcpy((code) + 2, &target_, sizeof target_);                                                  \
  } while (0)

#endif
