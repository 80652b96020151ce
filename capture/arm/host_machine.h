/* arm as the host program has to know it. */
#ifndef TURF_HOST_MACHINE_H
#define TURF_HOST_MACHINE_H

#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A request to valgrind (valgrind.h): what to do is in r4, the result, 0 elsewhere, in r3; to a processor these
 * turn r12 round once, and r10 is what it was. */
#define VALGRIND_REQUEST(result, request)                                                          \
  do {                                                                                             \
    register unsigned long r3_ __asm__("r3") = 0;                                                  \
    register const void *r4_ __asm__("r4") = request;                                              \
    __asm__ volatile("mov r12, r12, ror #3; mov r12, r12, ror #13\n"                               \
                     "mov r12, r12, ror #29; mov r12, r12, ror #19\n"                              \
                     "orr r10, r10, r10"                                                           \
                     : "+r"(r3_)                                                                   \
                     : "r"(r4_)                                                                    \
                     : "cc", "memory", "r12");                                                     \
    result = r3_;                                                                                  \
  } while (0)

/* What a thread has asked of its floating-point unit (Arm ARM, FPSCR), without flags of what has happened and
 * conditions. */
static inline void read_float(uint32_t control[2])
{
  uint32_t fpscr;
  __asm__ volatile("vmrs %0, fpscr" : "=r"(fpscr));
  control[0] = fpscr & 0x07ff9f00u;
  control[1] = 0;
}

/* The thread pointer: to be read by all, and set by the kernel (arch/arm/include/uapi/asm/unistd.h: set_tls).  No
 * call of libc, which might want the old one. */
#define THREAD_POINTER_GET(variable) __asm__ volatile("mrc p15, 0, %0, c13, c0, 3" : "=r"(variable))
#define THREAD_POINTER_SET(value)                                                                  \
  do {                                                                                             \
    register uintptr_t r0_ __asm__("r0") = (value);                                                \
    __asm__ volatile("mov r12, r7\n\t"                                                             \
                     "mov r7, %1\n\t"                                                              \
                     "svc 0\n\t"                                                                   \
                     "mov r7, r12"                                                                 \
                     : "+r"(r0_)                                                                   \
                     : "r"(0x0f0005)                                                               \
                     : "memory", "r12");                                                           \
  } while (0)
#define THREAD_POINTER(value) (value)
/* Where a program's thread-local variables are (ELF Handling For Thread-Local Storage, variant I): behind the
 * two words at the thread pointer. */
#define TLS_BLOCK(thread, address, size, align)                                                    \
  ((const void *)((thread) + 8 + (((address)-8) & ((align)-1))))
/* What the kernel does last: r0 has no function for atexit (glibc, sysdeps/arm/start.S). */
#define PROGRAM_START(stack, entry)                                                                \
  __asm__ volatile("mov sp, %0\n\tmov r0, #0\n\tbx %1"                                             \
                   :                                                                               \
                   : "r"(stack), "r"((uintptr_t)(entry))                                           \
                   : "r0", "memory")
/* Of functions in Thumb code bit 0 is set in their address (Arm ARM, A2.3.1). */
#define CODE_OF(function) ((uintptr_t)(function) & ~(uintptr_t)1)
/* In Thumb code movw and movt to r12, bx r12, else ldr pc from behind (Arm ARM, A8.8) */
#define JUMP_SIZE 10
#define JUMP_MAKE(code, from, target)                                                              \
  do {                                                                                             \
    const uint32_t target_ = (uintptr_t)(target);                                                  \
    const uint16_t low_ = (uint16_t)target_, high_ = (uint16_t)(target_ >> 16);                    \
    const uint16_t thumb_[5] = {MOVE_TOP(0xf240, low_), MOVE_LOW(low_), MOVE_TOP(0xf2c0, high_),   \
                                MOVE_LOW(high_), 0x4760};                                          \
    const uint32_t arm_[2] = {0xe51ff004, target_};                                                \
    memcpy(code, thumb_, sizeof thumb_);                                                           \
    if (!((uintptr_t)(from)&1))                                                                    \
      memcpy(code, arm_, sizeof arm_);                                                             \
  } while (0)
#define MOVE_TOP(op, half) (uint16_t)((op) | ((half) >> 1 & 0x400) | ((half) >> 12))
#define MOVE_LOW(half) (uint16_t)(((half) << 4 & 0x7000) | 0xc00 | ((half)&0xff))

/* clone(2), whose arguments have an order of their own on each machine: without a stack of its own. */
static inline long machine_clone(long flags)
{
  return syscall(SYS_clone, flags, 0, 0, 0, 0);
}

/* Those that calls keep (procedure call standard), but for r7 and r11, either of which may be the frame pointer:
 * calls that are made afterwards set them. */
#define FORGET_REGISTERS()                                                                         \
  __asm__ volatile("mov r4, #0\n\t"                                                                \
                   "mov r5, #0\n\t"                                                                \
                   "mov r6, #0\n\t"                                                                \
                   "mov r8, #0\n\t"                                                                \
                   "mov r9, #0\n\t"                                                                \
                   "mov r10, #0\n\t"                                                               \
                   :                                                                               \
                   :                                                                               \
                   : "r4", "r5", "r6", "r8", "r9", "r10")

#endif
