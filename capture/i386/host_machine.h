/* i386 as the host program has to know it. */
#include <stdint.h>
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
