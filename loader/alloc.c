/* malloc and its family, bound inside the library.  While init runs under a capture host they serve
 * from the in-image heap; at any other time from the process's allocator, but for blocks that lie
 * in the frozen heap: those are never reused, so freeing one is a no-op and growing one a move.
 *
 * Compiled with -fno-builtin: a compiler that knows malloc would turn calloc into a call of
 * calloc. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader.h"

#define S (&__urf_state)
#define CALLER __builtin_return_address(0)

BOUND void *reallocarray(void *p, size_t n, size_t size);
BOUND void *memalign(size_t align, size_t size);
BOUND void *valloc(size_t size);
BOUND void *pvalloc(size_t size);
BOUND size_t malloc_usable_size(void *p);

/* Ends a call of the heap: reports what it gave. */
static void *taken(void *p, size_t align, size_t size, void *caller)
{
  if (p)
    S->capture->allocated(p, size, caller, (unsigned)__builtin_ctzll(align));
  heap_unlock();
  return p;
}

/* Beyond the reserve the host serves on, so that the error can name the size that is enough.  What
 * not even the host can serve does not count: a program may ask for the impossible. */
static void *missed(void *p, size_t align, size_t size)
{
  if (p) {
    heap_lock();
    heap_miss(&S->heap, align, size);
    heap_unlock();
  }
  return p;
}

static int in_capture(void)
{
  return __builtin_expect(S->capture != 0, 0);
}

/* After the load malloc, calloc, realloc and free shall cost what the process's own do, which are called
 * through a table, too: one load and test and a jump, and nothing on the stack. */

COLD static void *long_malloc(size_t size, void *caller)
{
  if (!in_capture())
    return HOST(malloc)(size);
  heap_lock();
  void *p = taken(heap_alloc(&S->heap, size), 1, size, caller);
  return p ? p : missed(HOST(malloc)(size), 1, size);
}

void *urf_malloc(size_t size, void *caller)
{
  return __builtin_expect(S->direct.malloc != 0, 1) ? DIRECT(malloc)(size)
                                                    : long_malloc(size, caller);
}

COLD static void *malloc_captured(size_t size)
{
  return long_malloc(size, CALLER);
}

HOT BOUND void *malloc(size_t size)
{
  return __builtin_expect(S->direct.malloc != 0, 1) ? DIRECT(malloc)(size) : malloc_captured(size);
}

COLD static void *long_calloc(size_t n, size_t size, void *caller)
{
  size_t bytes;
  if (!in_capture())
    return HOST(calloc)(n, size);
  if (__builtin_mul_overflow(n, size, &bytes)) {
    errno = ENOMEM;
    return 0;
  }
  heap_lock();
  void *p = taken(heap_alloc(&S->heap, bytes), 1, bytes, caller);
  return p ? p : missed(HOST(calloc)(n, size), 1, bytes);
}

HOT BOUND void *calloc(size_t n, size_t size)
{
  return __builtin_expect(S->direct.calloc != 0, 1) ? DIRECT(calloc)(n, size)
                                                    : long_calloc(n, size, CALLER);
}

COLD static void long_free(void *p)
{
  if (!urf_owns(p)) {
    HOST(free)(p);
  } else if (in_capture()) {
    int saved = errno;
    heap_lock();
    heap_free(&S->heap, p);
    heap_unlock();
    errno = saved;
  }
}

HOT static void free_above(void *p)
{
  if (DIRECT(free) && !urf_owns(p))
    DIRECT(free)(p);
  else
    long_free(p);
}

HOT void urf_free(void *p)
{
  if (is_below(p))
    DIRECT(free)(p);
  else
    free_above(p);
}

HOT BOUND void free(void *p)
{
  if (is_below(p))
    DIRECT(free)(p);
  else
    free_above(p);
}

/* A block of ours that has to move: to the in-image heap or, after the load, to the host's. */
static void *move(void *p, size_t size, void *caller)
{
  size_t old = heap_usable(p);
  void *q = urf_malloc(size, caller);
  if (q) {
    memcpy(q, p, old < size ? old : size);
    urf_free(p);
  }
  return q;
}

/* realloc to nothing frees with glibc and gives a block with musl; C leaves it open. */
static int host_frees_at_zero(void)
{
  void *p = HOST(malloc)(1), *q = HOST(realloc)(p, 0);
  if (q)
    HOST(free)(q);
  return !q;
}

COLD static void *long_realloc(void *p, size_t size, void *caller)
{
  if (!p)
    return urf_malloc(size, caller);
  if (!urf_owns(p)) {
    void *q = HOST(realloc)(p, size);
    /* perhaps one that did not fit; a block of another library's is none of ours */
    return in_capture() && S->heap.missing ? missed(q, 1, size) : q;
  }
  if (!size && host_frees_at_zero()) {
    urf_free(p);
    return 0;
  }
  if (!in_capture())
    return size <= heap_usable(p) ? p : move(p, size, caller);
  heap_lock();
  if (heap_resize(&S->heap, p, size))
    return taken(p, 1, size, caller);
  heap_unlock();
  return move(p, size, caller);
}

HOT static void *realloc_above(void *p, size_t size, void *caller)
{
  return DIRECT(realloc) && !urf_owns(p) ? DIRECT(realloc)(p, size) : long_realloc(p, size, caller);
}

HOT void *urf_realloc(void *p, size_t size, void *caller)
{
  return is_below(p) ? DIRECT(realloc)(p, size) : realloc_above(p, size, caller);
}

HOT BOUND void *realloc(void *p, size_t size)
{
  return is_below(p) ? DIRECT(realloc)(p, size) : realloc_above(p, size, CALLER);
}

BOUND void *reallocarray(void *p, size_t n, size_t size)
{
  size_t bytes;
  if (__builtin_mul_overflow(n, size, &bytes)) {
    errno = ENOMEM;
    return 0;
  }
  return urf_realloc(p, bytes, CALLER);
}

int urf_memalign(void **out, size_t align, size_t size, void *caller)
{
  if (!in_capture())
    return HOST(posix_memalign)(out, align, size);
  heap_lock();
  void *p = taken(heap_align(&S->heap, align, size), align, size, caller);
  if (p) {
    *out = p;
    return 0;
  }
  int error = HOST(posix_memalign)(out, align, size);
  if (!error)
    missed(*out, align, size);
  return error;
}

static int is_power(size_t n)
{
  return n && !(n & (n - 1));
}

BOUND int posix_memalign(void **out, size_t align, size_t size)
{
  if (!is_power(align) || align % sizeof(void *))
    return EINVAL;
  return urf_memalign(out, align, size, CALLER);
}

/* For an alignment that is no power of two: glibc rounds up, musl takes 0 only.  0 when it is not to
 * be had from the host either. */
static size_t round_align(size_t align, size_t size)
{
  void *p = HOST(memalign)(align, size);
  if (!p)
    return 0;
  HOST(free)(p);
  size_t power = sizeof(void *);
  while (power < align)
    power *= 2;
  return power;
}

/* The forms that take any power of two, or none, and set errno. */
static void *align_any(size_t align, size_t size, void *caller)
{
  void *p = 0;
  if (!is_power(align)) {
    if (!in_capture())
      return HOST(memalign)(align, size);
    align = round_align(align, size);
    if (!align)
      return 0;
  }
  int error = urf_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size, caller);
  if (error)
    errno = error;
  return p;
}

BOUND void *aligned_alloc(size_t align, size_t size)
{
  return align_any(align, size, CALLER);
}

BOUND void *memalign(size_t align, size_t size)
{
  return align_any(align, size, CALLER);
}

BOUND void *valloc(size_t size)
{
  return align_any(HEAP_PAGE, size, CALLER);
}

BOUND void *pvalloc(size_t size)
{
  if (size > SIZE_MAX - HEAP_PAGE) {
    errno = ENOMEM;
    return 0;
  }
  return align_any(HEAP_PAGE, page_up(size), CALLER);
}

BOUND size_t malloc_usable_size(void *p)
{
  return urf_owns(p) ? heap_usable(p) : HOST(malloc_usable_size)(p);
}
