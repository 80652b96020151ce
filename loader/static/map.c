/* Private anonymous mappings of a static program: a member of its own in the archive, which only programs
 * bring in that call these functions.  While init runs they lie in the image, on pages of their own, and stay
 * there; what is unmapped reads as zero, and its place is not used again.  All others are the kernel's. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include "machine.h"
#include "program.h"

#define S (&program_state)
#define NOTE (&__urf_note)

#ifdef MAP_32BIT
#define URF_MAP_LOW MAP_32BIT
#else
#define URF_MAP_LOW 0
#endif

BOUND void *mmap64(void *addr, size_t len, int prot, int flags, int fd, int64_t off);

static void *kernel(long number, const void *a, size_t b, long c, long d, long e, long f)
{
  const long result = machine_syscall6(number, (long)a, (long)b, c, d, e, f);
  if (result >= 0 || result < -4095)
    return (void *)result;
  errno = (int)-result;
  return MAP_FAILED;
}

/* In the heap of the image, as far as it is there. */
static int is_inside(const void *p)
{
  const uintptr_t heap = (uintptr_t)NOTE->heap + ((uintptr_t)NOTE - (uintptr_t)NOTE->self);
  const uint64_t size = NOTE->flags & URF_FROZEN ? NOTE->heap_end - NOTE->heap : NOTE->heap_reserve;
  return (uintptr_t)p - heap < size;
}

static void *map(void *addr, size_t len, int prot, int flags, int fd, int64_t off, void *caller)
{
  const int others = MAP_SHARED | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN | URF_MAP_LOW;
  const int memory = MAP_PRIVATE | MAP_ANONYMOUS;
  void *p = 0;
  if (S->captures && (flags & (memory | others)) == memory && !(prot & PROT_EXEC) && len &&
      len <= PTRDIFF_MAX)
    p = program_allocate(HEAP_PAGE, page_up(len), caller);
  if (!p)
    return kernel(URF_SYS_MMAP, addr, len, prot, flags, fd, off);
  return prot == (PROT_READ | PROT_WRITE) || !mprotect(p, page_up(len), prot) ? p : MAP_FAILED;
}

BOUND void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
  return map(addr, len, prot, flags, fd, off, __builtin_return_address(0));
}

BOUND void *mmap64(void *addr, size_t len, int prot, int flags, int fd, int64_t off)
{
  return map(addr, len, prot, flags, fd, off, __builtin_return_address(0));
}

/* Zeros instead of the pages, which the file may hold. */
static int empty(void *addr, size_t len, int prot)
{
  return kernel(URF_SYS_MMAP, addr, page_up(len), prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                0) == MAP_FAILED
             ? -1
             : 0;
}

BOUND int munmap(void *addr, size_t len)
{
  if (is_inside(addr) && len && (uintptr_t)addr % HEAP_PAGE == 0)
    return empty(addr, len, PROT_READ | PROT_WRITE);
  return kernel(URF_SYS_MUNMAP, addr, len, 0, 0, 0, 0) == MAP_FAILED ? -1 : 0;
}

/* With the pages' protection: the kernel says it of those that can be read and written (Linux 5.14). */
BOUND int madvise(void *addr, size_t len, int advice)
{
  enum { POPULATE_WRITE = 23 };
  const int discards = advice == MADV_DONTNEED || advice == MADV_FREE;
  if (!discards || !is_inside(addr) || (uintptr_t)addr % HEAP_PAGE)
    return kernel(URF_SYS_MADVISE, addr, len, advice, 0, 0, 0) == MAP_FAILED ? -1 : 0;
  if (kernel(URF_SYS_MADVISE, addr, page_up(len), POPULATE_WRITE, 0, 0, 0) == MAP_FAILED)
    return -1;
  return empty(addr, len, PROT_READ | PROT_WRITE);
}

BOUND void *mremap(void *addr, size_t old, size_t len, int flags, ...)
{
  va_list ap;
  va_start(ap, flags);
  void *target = flags & MREMAP_FIXED ? va_arg(ap, void *) : 0;
  va_end(ap);
  if (!is_inside(addr))
    return kernel(URF_SYS_MREMAP, addr, old, (long)len, flags, (long)target, 0);
  old = page_up(old);
  len = page_up(len);
  if (len <= old && !(flags & ~MREMAP_MAYMOVE))
    return len && (len == old || !munmap((char *)addr + len, old - len)) ? addr : MAP_FAILED;
  void *p = MAP_FAILED;
  if (flags == MREMAP_MAYMOVE)
    p = map(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
            __builtin_return_address(0));
  else
    errno = ENOMEM;
  if (p == MAP_FAILED)
    return p;
  memcpy(p, addr, old);
  return munmap(addr, old) ? MAP_FAILED : p;
}
