/* malloc and its family for a static program, instead of the C library's, whose reallocarray calls realloc:
 * from the heap in the image, and where that is full from areas of its own.  It is part of the region and
 * frozen like any other variable, so that blocks of init are ordinary blocks.
 *
 * Before the first constructor, when a frozen heap still has link-time addresses, and for large blocks
 * there are mappings instead, one each. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "blocks.h"
#include "machine.h"
#include "program.h"

#define S (&program_state)
#define CALLER __builtin_return_address(0)

enum {
  MAPPED = 4
}; /* in a header: the block is a mapping, the word before says how far from its start */
enum { LARGE = 256 << 10, AREA = 4 << 20, FRONT = 16 };

BOUND void *memalign(size_t align, size_t size);
BOUND size_t malloc_usable_size(void *p);
/* What fork calls of malloc, so that no thread holds the lock in the child, which has only one: musl this,
 * with -1 before, 0 behind in the parent, 1 in the child, */
BOUND void __malloc_atfork(int who);
/* glibc these. */
BOUND void __malloc_fork_lock_parent(void);
BOUND void __malloc_fork_unlock_parent(void);
BOUND void __malloc_fork_unlock_child(void);

static struct heap heap;
static int lock;

/* NULL when there is none. */
static char *fresh(size_t size)
{
  const uintptr_t p = ask_kernel(URF_SYS_MMAP, 0, size, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, (uintptr_t)-1);
  return p > -(uintptr_t)4096 ? 0 : (char *)p;
}

static void enter(void)
{
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
    (void)ask_kernel(URF_SYS_SCHED_YIELD, 0, 0, 0, 0, 0);
}

static void leave(void)
{
  __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

void __malloc_fork_lock_parent(void)
{
  enter();
}

void __malloc_fork_unlock_parent(void)
{
  leave();
}

void __malloc_fork_unlock_child(void) __attribute__((alias("__malloc_fork_unlock_parent")));

void __malloc_atfork(int who)
{
  if (who < 0)
    enter();
  else
    leave();
}

/* mappings */

static size_t *distance_of(void *p)
{
  return (size_t *)block_of(p) - 1;
}

/* As large as the mapping allows. */
static void *mark(char *base, size_t whole, size_t distance)
{
  char *p = base + distance;
  block_of(p)->head = (whole - distance) | MAPPED;
  *distance_of(p) = distance;
  return p;
}

static void *map(size_t align, size_t size)
{
  const size_t whole = page_up(size + WORD + FRONT + (align > FRONT ? align : 0));
  if (size > MAX_PAYLOAD || align > MAX_PAYLOAD)
    return 0;
  char *base = fresh(whole);
  if (!base)
    return 0;
  const uintptr_t first = (uintptr_t)base + FRONT;
  return mark(base, whole, FRONT + (size_t)(-first & (align - 1)));
}

static void unmap(void *p)
{
  const size_t distance = *distance_of(p);
  (void)ask_kernel(URF_SYS_MUNMAP, (uintptr_t)p - distance, size_of(block_of(p)) + WORD + distance,
                   0, 0, 0);
}

static void *remap(void *p, size_t size)
{
  const size_t distance = *distance_of(p), old = size_of(block_of(p)) + WORD + distance;
  const size_t whole = page_up(size + WORD + distance);
  if (size > MAX_PAYLOAD)
    return 0;
  const uintptr_t base =
      ask_kernel(URF_SYS_MREMAP, (uintptr_t)p - distance, old, whole, MREMAP_MAYMOVE, 0);
  return base > -(uintptr_t)4096 ? 0 : mark((char *)base, whole, distance);
}

/* the heap */

/* The last word of an area is the header of a block that is never free. */
static void begin_area(uintptr_t start, uintptr_t size)
{
  heap.top = start + 16 - WORD;
  heap.end = start + size - WORD;
}

/* What is left of the area becomes a block. */
static void end_area(void)
{
  struct heap_block *rest = (struct heap_block *)heap.top;
  const size_t left = heap.end - heap.top;
  ((struct heap_block *)heap.end)->head = 16;
  heap.top = 0;
  if (left)
    rest->head = left;
  if (left >= MIN_PAYLOAD + WORD)
    release(&heap, rest);
}

static int new_area(size_t size)
{
  const size_t whole = size > AREA / 2 ? page_up(size + AREA / 2) : AREA;
  char *p = size > MAX_PAYLOAD ? 0 : fresh(whole);
  if (!p)
    return 0;
  end_area();
  begin_area((uintptr_t)p, whole);
  return 1;
}

void *program_allocate(size_t align, size_t size, void *caller)
{
  void *p = 0;
  if (S->ready && (size < LARGE || S->captures)) {
    enter();
    p = take_aligned(&heap, align, size);
    if (!p && !S->captures && new_area(size + align))
      p = take_aligned(&heap, align, size);
    if (p && S->captures) {
      if (align > heap.align)
        heap.align = align;
      S->host->allocated(p, size, caller, (unsigned)__builtin_ctzll(align));
    }
    leave();
  }
  if (!p && (p = map(align, size)) && S->captures)
    heap.missing += size + align + 4 * WORD;
  if (!p)
    errno = ENOMEM;
  return p;
}

/* urf.ld compares it with what has become malloc. */
HIDDEN void *own_malloc(size_t size) __asm__("__urf_malloc");

void *own_malloc(size_t size)
{
  return program_allocate(1, size, CALLER);
}

BOUND void *malloc(size_t size) __attribute__((alias("__urf_malloc")));

BOUND void *calloc(size_t n, size_t size)
{
  if (__builtin_mul_overflow(n, size, &size))
    size = SIZE_MAX;
  return program_allocate(1, size, CALLER);
}

BOUND void free(void *p)
{
  if (!p)
    return;
  if (block_of(p)->head & MAPPED) {
    unmap(p);
    return;
  }
  enter();
  give_back(&heap, p);
  leave();
}

static void *reallocate(void *p, size_t size, void *caller)
{
  if (!p)
    return program_allocate(1, size, caller);
  const size_t old = size_of(block_of(p));
  if (block_of(p)->head & MAPPED) {
    if (size >= LARGE && (p = remap(p, size)))
      return p;
  } else {
    enter();
    const int fits = resize(&heap, p, size);
    if (fits && S->captures)
      S->host->allocated(p, size, caller, 0);
    leave();
    if (fits)
      return p;
  }
  void *q = program_allocate(1, size, caller);
  if (q) {
    memcpy(q, p, old < size ? old : size);
    free(p);
  }
  return q;
}

BOUND void *realloc(void *p, size_t size)
{
  return reallocate(p, size, CALLER);
}

/* Of those that are none, memalign takes the next power of two (glibc), posix_memalign none. */
static void *align_any(size_t align, size_t size, void *caller)
{
  size_t power = 16;
  while (power < align && power <= MAX_PAYLOAD)
    power *= 2;
  return program_allocate(power, size, caller);
}

BOUND int posix_memalign(void **out, size_t align, size_t size)
{
  if (align & (align - 1) || align < sizeof(void *))
    return EINVAL;
  void *p = align_any(align, size, CALLER);
  if (!p)
    return ENOMEM;
  *out = p;
  return 0;
}

BOUND void *memalign(size_t align, size_t size)
{
  return align_any(align, size, CALLER);
}

BOUND void *aligned_alloc(size_t align, size_t size) __attribute__((alias("memalign")));

BOUND size_t malloc_usable_size(void *p)
{
  return p ? size_of(block_of(p)) : 0;
}

void program_heap(uintptr_t start, uintptr_t size)
{
  heap.start = start + 16 - WORD;
  heap.align = 16;
  begin_area(start, size);
  S->ready = 1;
}

/* Behind the last block the frozen image needs no more than the word that ends its area.  What is free is
 * zero already, but for its links. */
void program_heap_seal(struct urf_host *host)
{
  for (uintptr_t at = heap.start; at < heap.top;) {
    struct heap_block *b = (struct heap_block *)at;
    at = (uintptr_t)after(b);
    if (!(b->head & FREE))
      host->block(payload(b), size_of(b), URF_BLOCK_USED);
  }
  host->missing = heap.missing + heap.missing / 8;
  host->align = heap.align;
  heap.end = heap.top;
  host->top = heap.end + WORD;
  heap.missing = heap.peak = 0;
}
