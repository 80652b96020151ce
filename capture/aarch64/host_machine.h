/* aarch64 as the host program has to know it. */
#ifndef TURF_HOST_MACHINE_H
#define TURF_HOST_MACHINE_H

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A request to valgrind (valgrind.h): what to do is in x4, the result, 0 elsewhere, in x3; to a processor these
 * turn x12 round once, and x10 is what it was. */
#define VALGRIND_REQUEST(result, request)                                                          \
  do {                                                                                             \
    register unsigned long x3_ __asm__("x3") = 0;                                                  \
    register const void *x4_ __asm__("x4") = request;                                              \
    __asm__ volatile("ror x12, x12, #3; ror x12, x12, #13; ror x12, x12, #51; ror x12, x12, #61\n" \
                     "orr x10, x10, x10"                                                           \
                     : "+r"(x3_)                                                                   \
                     : "r"(x4_)                                                                    \
                     : "cc", "memory", "x12");                                                     \
    result = x3_;                                                                                  \
  } while (0)

/* What a thread has asked of its floating-point unit (Arm ARM, FPCR), without the flags of what has
 * happened, which are in FPSR. */
static inline void read_float(uint32_t control[2])
{
  uint64_t fpcr;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
  control[0] = (uint32_t)fpcr;
  control[1] = 0;
}

/* The thread pointer.  No call of libc, which might want the old one. */
#define THREAD_POINTER_GET(variable) __asm__ volatile("mrs %0, tpidr_el0" : "=r"(variable))
#define THREAD_POINTER_SET(value) __asm__ volatile("msr tpidr_el0, %0" : : "r"(value) : "memory")
#define THREAD_POINTER(value) (value)
/* Where a program's thread-local variables are (ELF Handling For Thread-Local Storage, variant I): behind the
 * two words at the thread pointer. */
#define TLS_BLOCK(thread, address, size, align)                                                    \
  ((const void *)((thread) + 16 + (((address)-16) & ((align)-1))))
/* What the kernel does last: x0 has no function for atexit (glibc, sysdeps/aarch64/start.S). */
#define PROGRAM_START(stack, entry)                                                                \
  __asm__ volatile("mov sp, %0\n\tmov x0, xzr\n\tmov x29, xzr\n\tmov x30, xzr\n\tbr %1"            \
                   :                                                                               \
                   : "r"(stack), "r"((uintptr_t)(entry))                                           \
                   : "x0", "x30", "memory")
/* Where its instructions are. */
#define CODE_OF(function) ((uintptr_t)(function))
/* ldr x16 from behind, br x16 (Arm ARM, C6.2) */
#define JUMP_SIZE 16
#define JUMP_MAKE(code, from, target)                                                              \
  do {                                                                                             \
    const uint32_t jump_[2] = {0x58000050, 0xd61f0200};                                            \
    const uint64_t target_ = (uintptr_t)(target);                                                  \
    memcpy(code, jump_, sizeof jump_);                                                             \
    memcpy((code) + sizeof jump_, &target_, sizeof target_);                                       \
  } while (0)

/* clone(2), whose arguments have an order of their own on each machine: without a stack of its own. */
static inline long machine_clone(long flags)
{
  return syscall(SYS_clone, flags, 0, 0, 0, 0);
}

/* Those that calls keep (procedure call standard), but for the one that may be the frame pointer. */
#define FORGET_REGISTERS()                                                                         \
  __asm__ volatile("mov x19, xzr\n\t"                                                              \
                   "mov x20, xzr\n\t"                                                              \
                   "mov x21, xzr\n\t"                                                              \
                   "mov x22, xzr\n\t"                                                              \
                   "mov x23, xzr\n\t"                                                              \
                   "mov x24, xzr\n\t"                                                              \
                   "mov x25, xzr\n\t"                                                              \
                   "mov x26, xzr\n\t"                                                              \
                   "mov x27, xzr\n\t"                                                              \
                   "mov x28, xzr\n\t"                                                              \
                   :                                                                               \
                   :                                                                               \
                   : "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28")

#endif
