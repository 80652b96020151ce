/* s390x as the host program has to know it. */
#ifndef TURF_HOST_MACHINE_H
#define TURF_HOST_MACHINE_H

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not tried: there is a valgrind for it, but none runs under an emulator. */
#define VALGRIND_REQUEST(result, request) ((void)(request), (result) = 0)

/* What a thread has asked of its floating-point unit (z/Architecture, floating-point-control register): masks and
 * the mode of rounding, without flags and data-exception code. */
static inline void read_float(uint32_t control[2])
{
  uint32_t fpc;
  __asm__ volatile("efpc %0" : "=d"(fpc));
  control[0] = fpc & 0xf8000077u;
  control[1] = 0;
}

/* clone(2), whose arguments have an order of their own on each machine: without a stack of its own. */
static inline long machine_clone(long flags)
{
  return syscall(SYS_clone, 0, flags, 0, 0, 0);
}

/* Those that calls keep (ELF ABI supplement, registers), but for r11, which may be the frame pointer, r12, and those that
 * are its stack pointer and its way back. */
#define FORGET_REGISTERS()                                                                         \
  __asm__ volatile("lghi %%r6, 0\n\t"                                                              \
                   "lghi %%r7, 0\n\t"                                                              \
                   "lghi %%r8, 0\n\t"                                                              \
                   "lghi %%r9, 0\n\t"                                                              \
                   "lghi %%r10, 0\n\t"                                                             \
                   "lghi %%r13, 0\n\t"                                                             \
                   :                                                                               \
                   :                                                                               \
                   : "r6", "r7", "r8", "r9", "r10", "r13")

#endif
