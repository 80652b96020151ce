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

/* The thread pointer: access registers 0 and 1 (ELF ABI supplement, registers).  No call of libc, which might want
 * the old one. */
#define THREAD_POINTER_GET(variable)                                                               \
  __asm__ volatile("ear %0, %%a0\n\tsllg %0, %0, 32\n\tear %0, %%a1" : "=d"(variable))
#define THREAD_POINTER_SET(value)                                                                  \
  __asm__ volatile("sar %%a0, %0\n\tsar %%a1, %1"                                                  \
                   :                                                                               \
                   : "d"((uintptr_t)(value) >> 32), "d"(value)                                     \
                   : "memory")
#define THREAD_POINTER(value) (value)
/* Where a program's thread-local variables are (ELF ABI supplement, "Thread-local storage"): below the thread
 * pointer, aligned as in the file. */
#define TLS_BLOCK(thread, address, size, align)                                                    \
  ((const void *)((thread) - ((size) + (-(uintptr_t)((size) + (address)) & ((align)-1)))))
/* What the kernel does last: r14 has no function for atexit (glibc, sysdeps/s390/s390-64/start.S). */
#define PROGRAM_START(stack, entry)                                                                \
  __asm__ volatile("lgr %%r15, %0\n\tlghi %%r14, 0\n\tbr %1"                                       \
                   :                                                                               \
                   : "d"(stack), "a"((uintptr_t)(entry))                                           \
                   : "r14", "memory")
/* Where its instructions are. */
#define CODE_OF(function) ((uintptr_t)(function))
/* iihf and iilf to r1, br (z/Architecture Principles of Operation, 7): glibc's function, whose place it takes, has 16
 * bytes up to the next one */
#define JUMP_SIZE 14
#define JUMP_MAKE(code, from, target)                                                              \
  do {                                                                                             \
    const uint64_t target_ = (uintptr_t)(target);                                                  \
    memcpy(code, "\xc0\x18----\xc0\x19----\x07\xf1", JUMP_SIZE);                                   \
    memcpy((code) + 2, &target_, 4);                                                               \
    memcpy((code) + 8, (const char *)&target_ + 4, 4);                                             \
  } while (0)

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
