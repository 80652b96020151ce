/* riscv64 as the host program has to know it. */
#ifndef TURF_HOST_MACHINE_H
#define TURF_HOST_MACHINE_H

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* There is no valgrind for it. */
#define VALGRIND_REQUEST(result, request) ((void)(request), (result) = 0)

/* What a thread has asked of its floating-point unit: the mode of rounding (RISC-V ISA, frm). */
static inline void read_float(uint32_t control[2])
{
  unsigned long frm;
  __asm__ volatile("frrm %0" : "=r"(frm));
  control[0] = (uint32_t)frm;
  control[1] = 0;
}

/* clone(2), whose arguments have an order of their own on each machine: without a stack of its own. */
static inline long machine_clone(long flags)
{
  return syscall(SYS_clone, flags, 0, 0, 0, 0);
}

/* Those that calls keep (procedure call standard), but for the one that may be the frame pointer. */
#define FORGET_REGISTERS()                                                                         \
  __asm__ volatile("li s1, 0\n\t"                                                                  \
                   "li s2, 0\n\t"                                                                  \
                   "li s3, 0\n\t"                                                                  \
                   "li s4, 0\n\t"                                                                  \
                   "li s5, 0\n\t"                                                                  \
                   "li s6, 0\n\t"                                                                  \
                   "li s7, 0\n\t"                                                                  \
                   "li s8, 0\n\t"                                                                  \
                   "li s9, 0\n\t"                                                                  \
                   "li s10, 0\n\t"                                                                 \
                   "li s11, 0\n\t"                                                                 \
                   :                                                                               \
                   :                                                                               \
                   : "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11")

#endif
