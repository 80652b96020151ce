/* Memory that programs take from the kernel by themselves: private anonymous mappings and the break.
 * While init runs they lie in the image, on pages of their own; executable mappings, shared ones and
 * files stay the host's.  After the load a frozen range behaves as the mapping it once was: it can
 * be discarded (and then reads as zero, not as the file), moved and unmapped. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include "loader.h"

#define S (&__urf_state)

BOUND void *sbrk(intptr_t increment);

static void *map_inside(size_t len, void *caller)
{
  heap_lock();
  void *p = heap_map(&S->heap, len);
  if (p)
    S->capture->allocated(p, len, caller);
  else
    S->heap.missing += len;
  heap_unlock();
  return p;
}

static void *map(void *addr, size_t len, int prot, int flags, int fd, int64_t off, void *caller)
{
  const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  int fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
  if (S->capture && (flags & (anonymous | MAP_SHARED)) == anonymous && !(prot & PROT_EXEC) && len) {
    if (!fixed) {
      void *p = map_inside(len, caller);
      if (p && prot != (PROT_READ | PROT_WRITE) && mprotect(p, len, prot))
        return MAP_FAILED;
      if (p)
        return p;
    } else if (urf_owns(addr)) {
      if (mprotect(addr, len, PROT_READ | PROT_WRITE))
        return MAP_FAILED;
      memset(addr, 0, len);
      return mprotect(addr, len, prot) ? MAP_FAILED : addr;
    }
  }
  return HOST(mmap)(addr, len, prot, flags, fd, off);
}

BOUND void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
  return map(addr, len, prot, flags, fd, off, __builtin_return_address(0));
}

BOUND void *mmap64(void *addr, size_t len, int prot, int flags, int fd, int64_t off)
{
  return map(addr, len, prot, flags, fd, off, __builtin_return_address(0));
}

BOUND int munmap(void *addr, size_t len)
{
  if (!urf_owns(addr))
    return HOST(munmap)(addr, len);
  if (S->capture) {
    if (mprotect(addr, len, PROT_READ | PROT_WRITE))
      return -1;
    heap_lock();
    heap_unmap(&S->heap, (uintptr_t)addr, len);
    heap_unlock();
  }
  return 0;
}

BOUND void *mremap(void *addr, size_t old, size_t len, int flags, ...)
{
  va_list ap;
  va_start(ap, flags);
  void *target = flags & MREMAP_FIXED ? va_arg(ap, void *) : 0;
  va_end(ap);
  if (!urf_owns(addr))
    return HOST(mremap)(addr, old, len, flags, target);
  if (len <= old && !(flags & MREMAP_FIXED)) {
    if (len < old)
      munmap((char *)addr + len, old - len);
    return addr;
  }
  if (!(flags & MREMAP_MAYMOVE) || flags & MREMAP_FIXED) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  void *p = map(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
                __builtin_return_address(0));
  if (p != MAP_FAILED) {
    memcpy(p, addr, old < len ? old : len);
    munmap(addr, old);
  }
  return p;
}

/* Discarding a page of the frozen heap would bring the file's bytes back. */
BOUND int madvise(void *addr, size_t len, int advice)
{
  if (urf_owns(addr) && !S->capture && (advice == MADV_DONTNEED || advice == MADV_FREE)) {
    memset(addr, 0, len);
    return 0;
  }
  return HOST(madvise)(addr, len, advice);
}

BOUND void *sbrk(intptr_t increment)
{
  if (S->capture) {
    heap_lock();
    void *p = heap_sbrk(&S->heap, increment);
    if (!p && increment > 0)
      S->heap.missing += (uintptr_t)increment;
    heap_unlock();
    if (p)
      return p;
  }
  /* what init took lies in the image and cannot be given back to the kernel */
  void *p = (void *)-1;
  if (increment < 0 && (S->host_brk < -increment || S->capture))
    errno = ENOMEM;
  else
    p = HOST(sbrk)(increment);
  if (p != (void *)-1)
    S->host_brk += increment;
  return p;
}
