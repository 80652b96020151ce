/* x86-64 as the host program has to know it. */
#ifndef TURF_HOST_MACHINE_H
#define TURF_HOST_MACHINE_H

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A request to valgrind (valgrind.h, which is in its manual, 3.1): what to do is in rax, the result, 0
 * elsewhere, in rdx; to a processor these turn rdi round once, and exchange a register with itself */
#define VALGRIND_REQUEST(result, request)                                                          \
  __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi\n"           \
                   "xchgq %%rbx, %%rbx"                                                            \
                   : "=d"(result)                                                                  \
                   : "a"(request), "0"(0ul)                                                        \
                   : "cc", "memory")

/* What a thread has asked of its floating-point units: rounding, precision, traps (psABI AMD64, 3.2.3),
 * without the flags of what has happened. */
static inline void read_float(uint32_t control[2])
{
  uint16_t x87 = 0;
  uint32_t sse = 0;
  __asm__ volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(x87), "=m"(sse));
  control[0] = x87 & 0x0f3fu;
  control[1] = sse & 0xffc0u;
}

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
#define THREAD_POINTER(value) (value)
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
/* Where its instructions are. */
#define CODE_OF(function) ((uintptr_t)(function))
/* mov to rax, jump there */
#define JUMP_SIZE 12
#define JUMP_MAKE(code, from, target)                                                              \
  do {                                                                                             \
    const uint64_t target_ = (uintptr_t)(target);                                                  \
    memcpy(code, "\x48\xb8--------\xff\xe0", JUMP_SIZE);                                           \
    memcpy((code) + 2, &target_, sizeof target_);                                                  \
  } while (0)

/* clone(2), whose arguments have an order of their own on each machine: without a stack of its own. */
static inline long machine_clone(long flags)
{
  return syscall(SYS_clone, flags, 0, 0, 0, 0);
}

#endif
