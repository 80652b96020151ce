/* i386 as the host program has to know it. */
#ifndef TURF_HOST_MACHINE_H
#define TURF_HOST_MACHINE_H

#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A request to valgrind (valgrind.h): what to do is in eax, the result, 0 elsewhere, in edx; to a processor these
 * turn edi round once, and exchange a register with itself */
#define VALGRIND_REQUEST(result, request)                                                          \
  __asm__ volatile("roll $3, %%edi; roll $13, %%edi; roll $29, %%edi; roll $19, %%edi\n"           \
                   "xchgl %%ebx, %%ebx"                                                            \
                   : "=d"(result)                                                                  \
                   : "a"(request), "0"(0ul)                                                        \
                   : "cc", "memory")

/* What a thread has asked of its floating-point unit: rounding, precision, traps (psABI Intel386, "Floating Point
 * Control Word").  That of SSE is only there where the CPU has it. */
static inline void read_float(uint32_t control[2])
{
  uint16_t x87 = 0;
  __asm__ volatile("fnstcw %0" : "=m"(x87));
  control[0] = x87 & 0x0f3fu;
  control[1] = 0;
#ifdef __SSE__
  uint32_t sse = 0;
  __asm__ volatile("stmxcsr %0" : "=m"(sse));
  control[1] = sse & 0xffc0u;
#endif
}

/* What stands for the thread pointer is the number of its segment (set_thread_area(2)): each C library has asked
 * the kernel for one.  No call of libc, which might want the old one. */
#define THREAD_POINTER_GET(variable)                                                               \
  __asm__ volatile("movl %%gs, %k0" : "=r"(*(uint32_t *)&(variable)))
#define THREAD_POINTER_SET(value) __asm__ volatile("movl %k0, %%gs" : : "r"(value) : "memory")
#define THREAD_POINTER(value) segment_base(value)
static inline uintptr_t segment_base(uintptr_t segment)
{
  struct { /* kernel, arch/x86/include/uapi/asm/ldt.h, which musl's compiler does not see */
    uint32_t entry_number, base_addr, limit, flags;
  } d = {(uint32_t)segment / 8, 0, 0, 0};
  return segment && !syscall(SYS_get_thread_area, &d) ? d.base_addr : 0;
}
/* Where a program's thread-local variables are (ELF Handling For Thread-Local Storage, variant II): below the
 * thread pointer, aligned as in the file. */
#define TLS_BLOCK(thread, address, size, align)                                                    \
  ((const void *)((thread) - ((size) + (-(uintptr_t)((size) + (address)) & ((align)-1)))))
/* What the kernel does last (psABI Intel386, "Process Initialization"): edx has no function for atexit. */
#define PROGRAM_START(stack, entry)                                                                \
  __asm__ volatile("movl %0, %%esp\n\txorl %%edx, %%edx\n\txorl %%ebp, %%ebp\n\tjmp *%1"           \
                   :                                                                               \
                   : "a"(stack), "c"((uintptr_t)(entry))                                           \
                   : "edx", "memory")
/* Where its instructions are. */
#define CODE_OF(function) ((uintptr_t)(function))
/* mov to eax, jump there */
#define JUMP_SIZE 7
#define JUMP_MAKE(code, from, target)                                                              \
  do {                                                                                             \
    const uint32_t target_ = (uintptr_t)(target);                                                  \
    memcpy(code, "\xb8----\xff\xe0", JUMP_SIZE);                                                   \
    memcpy((code) + 1, &target_, sizeof target_);                                                  \
  } while (0)

/* clone(2), whose arguments have an order of their own on each machine: without a stack of its own. */
static inline long machine_clone(long flags)
{
  return syscall(SYS_clone, flags, 0, 0, 0, 0);
}

/* Those that calls keep (procedure call standard), but for the one that may be the frame pointer. */
#define FORGET_REGISTERS()                                                                         \
  __asm__ volatile("xorl %%ebx, %%ebx\n\t"                                                         \
                   "xorl %%esi, %%esi\n\t"                                                         \
                   "xorl %%edi, %%edi\n\t"                                                         \
                   :                                                                               \
                   :                                                                               \
                   : "ebx", "esi", "edi", "cc")

#endif
