/* arm as the host program has to know it. */
#ifndef TURF_HOST_MACHINE_H
#define TURF_HOST_MACHINE_H

#include <stdint.h>
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
