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

/* The thread pointer.  No call of libc, which might want the old one. */
#define THREAD_POINTER_GET(variable) __asm__ volatile("mv %0, tp" : "=r"(variable))
#define THREAD_POINTER_SET(value) __asm__ volatile("mv tp, %0" : : "r"(value) : "memory")
#define THREAD_POINTER(value) (value)
/* Where a program's thread-local variables are (RISC-V ELF psABI, "Thread Local Storage"): at the thread pointer,
 * aligned as in the file. */
#define TLS_BLOCK(thread, address, size, align)                                                    \
  ((const void *)((thread) + ((address) & ((align)-1))))
/* What the kernel does last: a0 has no function for atexit (glibc, sysdeps/riscv/start.S). */
#define PROGRAM_START(stack, entry)                                                                \
  __asm__ volatile("mv sp, %0\n\tli a0, 0\n\tli s0, 0\n\tli ra, 0\n\tjr %1"                        \
                   :                                                                               \
                   : "r"(stack), "r"((uintptr_t)(entry))                                           \
                   : "a0", "ra", "memory")
/* Where its instructions are. */
#define CODE_OF(function) ((uintptr_t)(function))
/* auipc t1, 0; ld t1, 12(t1); jr t1 (RISC-V ISA, RV64I); the address */
#define JUMP_SIZE 20
#define JUMP_MAKE(code, from, target)                                                              \
  do {                                                                                             \
    const uint32_t jump_[3] = {0x00000317, 0x00c33303, 0x00030067};                                \
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
