/* Memory that programs take from the kernel by themselves: private mappings, anonymous ones and those of
 * files, and the break. While init runs they lie in the image, on pages of their own; executable
 * mappings, shared ones and those of devices stay the host's.  After the load a frozen range behaves as
 * the mapping it once was: it can be discarded (and then reads as zero, not as the frozen file), moved
 * and unmapped.
 *
 * Of a file the image has the bytes that were there when it was mapped.  A page behind its end reads as
 * zero, where the kernel would send SIGBUS, and what is written to the file later is not seen (mmap(2)
 * leaves that open).  What only the file could answer fails: see files.c. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader.h"

#define S (&__urf_state)

/* Linux's, where older headers have no name for them. */
enum {
  URF_DONTUNMAP = 4,
  URF_POPULATE_READ = 22,
  URF_POPULATE_WRITE = 23,
  URF_DONTNEED_LOCKED = 24,
  URF_COLLAPSE = 25
};

#ifdef MAP_32BIT
#define URF_MAP_LOW MAP_32BIT
#else
#define URF_MAP_LOW 0
#endif

/* A private mapping of /dev/zero is anonymous memory (kernel, Documentation/admin-guide/devices.txt). */
#define ZERO_DEVICE (1 << 8 | 5)

BOUND int brk(void *end);
BOUND void *sbrk(intptr_t increment);

/* Ends a call of the heap: reports the mapping it gave. */
static void *taken(void *p, size_t len, void *caller)
{
  if (p)
    S->capture->allocated(p, len, caller, URF_HOW_MAPPING);
  heap_unlock();
  return p;
}

static void missed(size_t len)
{
  heap_lock();
  heap_miss(&S->heap, HEAP_PAGE, len);
  heap_unlock();
}

static void *map_inside(size_t len, int prot, void *caller)
{
  heap_lock();
  void *p = taken(heap_map(&S->heap, len), len, caller);
  if (p && prot != (PROT_READ | PROT_WRITE) && mprotect(p, len, prot))
    return MAP_FAILED;
  return p;
}

/* Over a mapping of ours, or the hole that munmap left in one. */
static void *map_fixed(void *addr, size_t len, int prot)
{
  heap_lock();
  int good = heap_remap(&S->heap, (uintptr_t)addr, len);
  heap_unlock();
  if (!good) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  if (mprotect(addr, len, PROT_READ | PROT_WRITE))
    return MAP_FAILED;
  memset(addr, 0, page_up(len));
  return mprotect(addr, len, prot) ? MAP_FAILED : addr;
}

/* What can lie in the image: no code that is made at run time, and nothing with a place of its
 * own. */
static int is_memory(int prot, int flags)
{
  const int others = MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN | URF_MAP_LOW;
  return (flags & (MAP_PRIVATE | others)) == MAP_PRIVATE && !(prot & PROT_EXEC);
}

/* All of the pages, as the kernel does; 0 when the file cannot be read. */
static int read_pages(char *to, size_t len, int fd, int64_t off)
{
  for (len = page_up(len); len;) {
    ssize_t n = pread(fd, to, len, off);
    if (n < 0 && errno != EINTR)
      return 0;
    if (n == 0)
      break;
    if (n > 0) {
      to += n;
      off += n;
      len -= (size_t)n;
    }
  }
  return 1;
}

/* NULL when it cannot lie in the image. */
static void *copy_file(void *addr, size_t len, int prot, int fd, int64_t off, void *caller)
{
  const int both = PROT_READ | PROT_WRITE;
  void *p = addr ? map_fixed(addr, len, both) : map_inside(len, both, caller);
  if (!p)
    missed(len);
  if (!p || p == MAP_FAILED)
    return p;
  if (!read_pages(p, len, fd, off) || files_add(p, page_up(len), caller)) {
    (void)munmap(p, len);
    return 0;
  }
  return prot == both || !mprotect(p, len, prot) ? p : MAP_FAILED;
}

/* The host maps it first, elsewhere if addr, in the image, is named: it knows what is an error. */
static void *map_file(void *addr, size_t len, int prot, int flags, int fd, int64_t off,
                      void *caller)
{
  struct stat status = {0};
  void *host = HOST(mmap)(0, len, prot, flags & ~MAP_FIXED, fd, off), *p = 0;
  if (host == MAP_FAILED)
    return host;
  const int saved = errno;
  (void)fstat(fd, &status);
  if (S_ISREG(status.st_mode))
    p = copy_file(addr, len, prot, fd, off, caller);
  else if (S_ISCHR(status.st_mode) && status.st_rdev == ZERO_DEVICE)
    p = addr ? map_fixed(addr, len, prot) : map_inside(len, prot, caller);
  if (p || addr) {
    HOST(munmap)(host, len);
    host = p;
  }
  if (host && host != MAP_FAILED)
    errno = saved;
  return host ? host : HOST(mmap)(addr, len, prot, flags, fd, off);
}

static void *map(void *addr, size_t len, int prot, int flags, int fd, int64_t off, void *caller)
{
  int inside = S->capture && is_memory(prot, flags) && len && len <= PTRDIFF_MAX;
  const int over = flags & MAP_FIXED && urf_owns(addr) && (uintptr_t)addr % HEAP_PAGE == 0;
  if (over && files_forget(addr, len, caller))
    return MAP_FAILED;
  if (inside && !(flags & MAP_ANONYMOUS) && (over || !(flags & MAP_FIXED)))
    return map_file(over ? addr : 0, len, prot, flags, fd, off, caller);
  if (inside && over)
    return map_fixed(addr, len, prot);
  inside = inside && !(flags & MAP_FIXED);
  void *p = inside ? map_inside(len, prot, caller) : 0;
  if (p)
    return p;
  p = HOST(mmap)(addr, len, prot, flags, fd, off);
  if (inside && p != MAP_FAILED)
    missed(len);
  return p;
}

BOUND void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
  return map(addr, len, prot, flags, fd, off, __builtin_return_address(0));
}

BOUND void *mmap64(void *addr, size_t len, int prot, int flags, int fd, int64_t off)
{
  return map(addr, len, prot, flags, fd, off, __builtin_return_address(0));
}

/* The part of a page range that lies in the image; empty is lo == hi. */
struct part {
  uintptr_t lo, hi;
};

static struct part part_from(uintptr_t start, const void *addr, size_t len)
{
  struct part own = {start, page_up(S->owned + S->owned_size)};
  struct part p = {(uintptr_t)addr, (uintptr_t)addr + page_up(len)};
  if (!S->owned_size || p.hi <= own.lo || p.lo >= own.hi || p.lo % HEAP_PAGE || p.hi <= p.lo)
    return (struct part){p.lo, p.lo};
  return (struct part){p.lo > own.lo ? p.lo : own.lo, p.hi < own.hi ? p.hi : own.hi};
}

/* In the heap. */
static struct part part_of(const void *addr, size_t len)
{
  return part_from(S->owned & ~(uintptr_t)(HEAP_PAGE - 1), addr, len);
}

/* In the heap or in .bss, which the frozen file holds as well. */
static struct part zeroed_part_of(const void *addr, size_t len)
{
  return part_from(S->owned - (uintptr_t)(__urf_note.heap - page_up(__urf_note.bss)), addr, len);
}

static void *fresh(uintptr_t lo, size_t len, int prot)
{
  return HOST(mmap)((void *)lo, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* The image keeps its address range: a mapping that the host put into a hole there would vanish
 * with the library. */
static int unmap(struct part p)
{
  if (!S->capture)
    return fresh(p.lo, p.hi - p.lo, PROT_NONE) == MAP_FAILED ? -1 : 0;
  if (mprotect((void *)p.lo, p.hi - p.lo, PROT_READ | PROT_WRITE))
    return -1;
  heap_lock();
  heap_unmap(&S->heap, p.lo, p.hi - p.lo);
  heap_unlock();
  return 0;
}

BOUND int munmap(void *addr, size_t len)
{
  struct part own = part_of(addr, len);
  if (own.lo == own.hi)
    return HOST(munmap)(addr, len);
  uintptr_t lo = (uintptr_t)addr, hi = lo + page_up(len);
  if (files_forget((void *)own.lo, own.hi - own.lo, __builtin_return_address(0)))
    return -1;
  if ((lo < own.lo && HOST(munmap)(addr, own.lo - lo)) || unmap(own))
    return -1;
  return S->capture || hi == own.hi ? 0 : HOST(munmap)((void *)own.hi, hi - own.hi);
}

/* What mprotect was told about a page, as far as loads and stores go.  The kernel answers without a
 * signal (since Linux 5.14; before, all pages count as writable). */
static int protection(uintptr_t page)
{
  int saved = errno, prot = PROT_READ | PROT_WRITE;
  uintptr_t readable = (uintptr_t)&saved & ~(uintptr_t)(HEAP_PAGE - 1);
  if (HOST(madvise)((void *)page, HEAP_PAGE, URF_POPULATE_WRITE)) {
    if (!HOST(madvise)((void *)page, HEAP_PAGE, URF_POPULATE_READ))
      prot = PROT_READ;
    else if (!HOST(madvise)((void *)readable, HEAP_PAGE, URF_POPULATE_READ))
      prot = PROT_NONE;
  }
  errno = saved;
  return prot;
}

/* Calls f for each stretch of equally protected pages. */
static int each_stretch(struct part p, int (*f)(uintptr_t lo, size_t len, int prot, void *),
                        void *arg)
{
  while (p.lo < p.hi) {
    int prot = protection(p.lo);
    uintptr_t end = p.lo + HEAP_PAGE;
    while (end < p.hi && protection(end) == prot)
      end += HEAP_PAGE;
    if (f(p.lo, end - p.lo, prot, arg))
      return -1;
    p.lo = end;
  }
  return 0;
}

struct move {
  uintptr_t from, to;
};

static int move_stretch(uintptr_t lo, size_t len, int prot, void *arg)
{
  const struct move *m = arg;
  void *to = (void *)(lo - m->from + m->to);
  if (prot == PROT_NONE && mprotect((void *)lo, len, PROT_READ))
    return -1;
  memcpy(to, (void *)lo, len);
  if (prot == PROT_NONE && mprotect((void *)lo, len, PROT_NONE))
    return -1;
  return prot == (PROT_READ | PROT_WRITE) ? 0 : mprotect(to, len, prot);
}

static int discard_stretch(uintptr_t lo, size_t len, int prot, void *unused)
{
  (void)unused;
  return fresh(lo, len, prot) == MAP_FAILED ? -1 : 0;
}

/* A range of ours: what is moved is the contents, and old pages become free. */
static void *move(void *addr, size_t old, size_t len, int flags, void *target, void *caller)
{
  struct move m = {(uintptr_t)addr, (uintptr_t)target};
  struct part from = part_of(addr, old < len ? old : len);
  void *p =
      map(target, len, PROT_READ | PROT_WRITE,
          MAP_PRIVATE | MAP_ANONYMOUS | (flags & MREMAP_FIXED ? MAP_FIXED : 0), -1, 0, caller);
  if (p == MAP_FAILED)
    return p;
  m.to = (uintptr_t)p;
  if (each_stretch(from, move_stretch, &m))
    return MAP_FAILED;
  if (flags & URF_DONTUNMAP ? madvise(addr, old, MADV_DONTNEED) : munmap(addr, old))
    return MAP_FAILED;
  return p;
}

BOUND void *mremap(void *addr, size_t old, size_t len, int flags, ...)
{
  va_list ap;
  va_start(ap, flags);
  void *target = flags & MREMAP_FIXED ? va_arg(ap, void *) : 0;
  va_end(ap);
  if (!urf_owns(addr))
    return HOST(mremap)(addr, old, len, flags, target);
  const int known = MREMAP_MAYMOVE | MREMAP_FIXED | URF_DONTUNMAP;
  uintptr_t from = (uintptr_t)addr, to = (uintptr_t)target;
  int error = 0;
  if (!old || !len || old > PTRDIFF_MAX || len > PTRDIFF_MAX || (from | to) % HEAP_PAGE ||
      flags & ~known || (flags & known & ~MREMAP_MAYMOVE && !(flags & MREMAP_MAYMOVE)))
    error = EINVAL;
  old = page_up(old);
  len = page_up(len);
  if ((flags & MREMAP_FIXED && from < to + len && to < from + old) ||
      (flags & URF_DONTUNMAP && old != len))
    error = EINVAL;
  else if (!error && part_of(addr, old).hi != from + old)
    error = EFAULT;
  if (!error && (len > old || flags & (MREMAP_FIXED | URF_DONTUNMAP)) && files_have(addr, old))
    error = ENOMEM; /* it would grow by what the file holds */
  if (!error && flags & (MREMAP_FIXED | URF_DONTUNMAP))
    return move(addr, old, len, flags, target, __builtin_return_address(0));
  if (!error && len <= old)
    return len < old && munmap((char *)addr + len, old - len) ? MAP_FAILED : addr;
  if (!error && flags & MREMAP_MAYMOVE)
    return move(addr, old, len, flags, 0, __builtin_return_address(0));
  errno = error ? error : ENOMEM;
  return MAP_FAILED;
}

/* Advice that changes nothing that a program could see, in this process or its children. */
static int is_harmless(int advice)
{
  static const unsigned char harmless[] = {
      MADV_NORMAL,     MADV_RANDOM,   MADV_SEQUENTIAL,   MADV_WILLNEED,      MADV_DONTNEED,
      MADV_FREE,       MADV_DOFORK,   MADV_MERGEABLE,    MADV_UNMERGEABLE,   MADV_HUGEPAGE,
      MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP,       MADV_KEEPONFORK,    MADV_COLD,
      MADV_PAGEOUT,    URF_COLLAPSE,  URF_POPULATE_READ, URF_POPULATE_WRITE, URF_DONTNEED_LOCKED};
  return advice >= 0 && advice < 256 && memchr(harmless, advice, sizeof harmless);
}

/* Of files and other pages.  Where nothing was written a file's page would be as it is; what it would be
 * otherwise the file knows.  0 when some cannot be discarded. */
static int discard_around_files(struct part p, int advice)
{
  int good = 1;
  for (uintptr_t page = p.lo; page < p.hi; page += HEAP_PAGE)
    if (files_have((void *)page, HEAP_PAGE))
      good &= advice != MADV_FREE && !(protection(page) & PROT_WRITE);
    else if (S->capture)
      good &= !HOST(madvise)((void *)page, HEAP_PAGE, MADV_DONTNEED);
    else
      good &= !discard_stretch(page, HEAP_PAGE, protection(page), 0);
  return good;
}

static int discard(struct part p, int advice)
{
  if (!files_have((void *)p.lo, p.hi - p.lo))
    return S->capture ? HOST(madvise)((void *)p.lo, p.hi - p.lo, MADV_DONTNEED)
                      : each_stretch(p, discard_stretch, 0);
  if (discard_around_files(p, advice))
    return 0;
  if (S->capture && advice != MADV_FREE)
    S->capture->refused = (uintptr_t)advice;
  errno = EINVAL;
  return -1;
}

/* In a frozen heap a discarded page would show the file's bytes again, so it is replaced.  While it
 * is captured the pages are anonymous; but MADV_FREE leaves it to the kernel when they become
 * zero. */
BOUND int madvise(void *addr, size_t len, int advice)
{
  const int discards =
      advice == MADV_DONTNEED || advice == MADV_FREE || advice == URF_DONTNEED_LOCKED;
  struct part own = part_of(addr, len);
  if (!S->capture)
    own = zeroed_part_of(addr, len);
  if (own.lo == own.hi)
    return HOST(madvise)(addr, len, advice);
  if (!discards) {
    int status = HOST(madvise)(addr, len, advice);
    if (S->capture && !status && !is_harmless(advice))
      S->capture->refused = (uintptr_t)advice;
    return status;
  }
  uintptr_t lo = (uintptr_t)addr, hi = lo + page_up(len);
  if ((lo < own.lo && HOST(madvise)(addr, own.lo - lo, advice)) || discard(own, advice))
    return -1;
  return hi == own.hi ? 0 : HOST(madvise)((void *)own.hi, hi - own.hi, advice);
}

BOUND int brk(void *end)
{
  int done = 0;
  if (!S->capture && !urf_owns(end))
    return HOST(brk)(end);
  if (S->capture) {
    heap_lock();
    done = heap_brk(&S->heap, (uintptr_t)end);
    heap_unlock();
  }
  if (!done)
    errno = ENOMEM;
  return done ? 0 : -1;
}

BOUND void *sbrk(intptr_t increment)
{
  if (S->capture) {
    heap_lock();
    const uintptr_t before = S->heap.brk_start;
    void *p = heap_sbrk(&S->heap, increment);
    if (S->heap.brk_start != before)
      S->capture->allocated(p, (uintptr_t)increment, __builtin_return_address(0), URF_HOW_AREA);
    heap_unlock();
    if (p)
      return p;
  }
  /* what init took lies in the image and cannot be given back to the kernel */
  if (increment < 0 && (S->capture || S->host_brk < -(uintptr_t)increment)) {
    errno = ENOMEM;
    return (void *)-1;
  }
  void *p = HOST(sbrk)(increment);
  if (p == (void *)-1)
    return p;
  S->host_brk += (uintptr_t)increment;
  if (S->capture)
    missed((uintptr_t)increment);
  return p;
}
