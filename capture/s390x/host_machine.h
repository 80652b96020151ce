/* s390x as the host program has to know it. */
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
