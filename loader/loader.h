/* Table of contents of the loader, the half of turf that is linked into users' libraries. */
#ifndef URF_LOADER_H
#define URF_LOADER_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"
#include "machine.h"

#define HIDDEN __attribute__((visibility("hidden")))
/* For what takes the place of a libc function: a library that brings its own keeps it. */
#define BOUND __attribute__((visibility("hidden"), weak))
/* For what runs after the load as often as the program likes, in as few lines of the cache as possible, and
 * for what such functions leave to others. */
#define HOT __attribute__((hot, aligned(32)))
#define COLD __attribute__((cold, noinline))

/* heap.c: the in-image heap, used while init runs.  Memory it hands out is zero. */

#define HEAP_SMALL 32 /* bins of one size each */
#define HEAP_BINS (HEAP_SMALL + 16 * 40)

#define HEAP_PAGE 4096u
/* A kernel rounds what it maps, moves or gives back to whole pages, which may be larger on some machines. */
#ifndef URF_LARGEST_PAGE
#define URF_LARGEST_PAGE HEAP_PAGE
#endif

struct heap_block;
struct heap_span;

struct heap {
  uintptr_t start, top, end; /* blocks stand in [start, top), the reserve ends at end */
  uintptr_t peak;            /* the highest that top ever was */
  uintptr_t missing, align;  /* see struct urf_host */
  uintptr_t brk_start, brk;  /* area handed out by sbrk, empty at first */
  /* The layout, or NULL: its blocks stand in [origin, start), what is gone by the end from start on. */
  const struct urf_layout *layout;
  uintptr_t origin;
  uint64_t step; /* allocations so far */
  /* the next one's place in layout->steps and, of those in a row that are gone, how many have been */
  uint64_t entry, gone;
  enum urf_stray strayed;
  uint64_t strayed_at;     /* the step from which on there is no layout */
  struct heap_span *spans; /* page ranges handed out by mmap, by address */
  uint64_t used_bins[(HEAP_BINS + 63) / 64];
  struct heap_block *bins[HEAP_BINS];
};

HIDDEN void heap_init(struct heap *h, uintptr_t start, uintptr_t size);
/* Before the first allocation.  Where the layout does not fit, or turns out not to be that of this run, the
 * heap goes on without it and strayed says why. */
HIDDEN void heap_lay_out(struct heap *h, const struct urf_layout *layout);
/* All return NULL when the reserve is used up; sizes in bytes, align a power of two. */
HIDDEN void *heap_alloc(struct heap *h, size_t size);
HIDDEN void *heap_align(struct heap *h, size_t align, size_t size);
/* In place or not at all.  What a smaller block does not need is cleared. */
HIDDEN int heap_resize(struct heap *h, void *p, size_t size);
HIDDEN void heap_free(struct heap *h, void *p);
/* Bytes behind p that belong to its block; reads nothing but the block's header. */
HIDDEN size_t heap_usable(const void *p);
/* Whole pages; unmap takes any range inside the heap, of which only what is mapped counts. */
HIDDEN void *heap_map(struct heap *h, size_t len);
HIDDEN void heap_unmap(struct heap *h, uintptr_t start, size_t len);
/* Maps what was unmapped of a range that lies in one block; 0 when it does not. */
HIDDEN int heap_remap(struct heap *h, uintptr_t start, size_t len);
/* NULL also when the break would go below its start. */
HIDDEN void *heap_sbrk(struct heap *h, intptr_t increment);
/* 1 when the break is there now; 0 when it cannot be. */
HIDDEN int heap_brk(struct heap *h, uintptr_t end);
/* Counts a request that the reserve had no room for, and tells how much longer it must be, from top
 * on, for all of those. */
HIDDEN void heap_miss(struct heap *h, size_t align, size_t size);
HIDDEN uintptr_t heap_missing(const struct heap *h);
/* Calls block for each block and each mapping, and clears all that is free. */
HIDDEN void heap_seal(struct heap *h, void (*block)(void *, uintptr_t, enum urf_block_kind));

/* state.c: the loader's variables.  All zero in the frozen file; what is to be frozen is elsewhere in
 * the region. */

enum { CXX_OPERATORS = 12 };

/* The process's own functions. */
#define HOST_CALLS(_)                                                                              \
  _(malloc)                                                                                        \
  _(calloc)                                                                                        \
  _(realloc)                                                                                       \
  _(free)                                                                                          \
  _(posix_memalign)                                                                                \
  _(memalign)                                                                                      \
  _(malloc_usable_size)                                                                            \
  _(mmap)                                                                                          \
  _(mremap)                                                                                        \
  _(munmap)                                                                                        \
  _(madvise)                                                                                       \
  _(brk)                                                                                           \
  _(sbrk)                                                                                          \
  _(realpath)                                                                                      \
  _(getcwd)                                                                                        \
  _(__cxa_atexit)                                                                                  \
  _(__cxa_thread_atexit_impl)                                                                      \
  _(__cxa_thread_atexit)                                                                           \
  _(__register_atfork)                                                                             \
  _(pthread_atfork)                                                                                \
  _(pthread_key_create)                                                                            \
  _(pthread_key_delete)                                                                            \
  _(pthread_getspecific)                                                                           \
  _(pthread_setspecific)                                                                           \
  _(pthread_self)                                                                                  \
  _(sigaction)

struct host_calls {
#define SLOT(name) void *name;
  HOST_CALLS(SLOT)
#undef SLOT
};

/* What the calls that programs live on need after the load, in front of everything else, on one line of
 * the cache.  All zero while allocations are captured, and until the constructor has run: what finds
 * nothing here takes the long way. */
struct direct {
  uintptr_t below;                        /* addresses below this one are not ours */
  void *malloc, *calloc, *realloc, *free; /* as in struct host_calls */
  void *operators[CXX_OPERATORS];         /* cxx.c; NULL where the process has none */
};

enum { KEYS = 1024 }; /* of thread-specific data that init may create */

struct state {
  struct direct direct;
  uintptr_t owned, owned_size; /* blocks that are ours: [owned, owned + owned_size) */
  uint64_t nanoseconds;        /* stats.c: that the load took, */
  unsigned copied;             /* and what relocate said */
  struct host_calls host;
  uintptr_t host_brk;       /* bytes that sbrk took from the host */
  struct urf_host *capture; /* while init runs under a capture host, */
  uintptr_t thread;         /* in the thread with this pthread_self() */
  int lock;
  unsigned keys[KEYS]; /* keys.c: those of the process */
  int keys_lock;
  int files_lock;
  int fell_back; /* the frozen state could not be used, init has run instead */
  struct heap heap;
};

extern HIDDEN struct state __urf_state;
extern HIDDEN const volatile struct urf_note __urf_note;

/* host.c: the way to the process's own functions, which are looked up by the constructor: later the
 * dynamic linker may be waiting for the thread that asks.  What is needed before is looked up then.
 * HOST(malloc)(n) calls what `malloc` means to the process. */
#define HOST(fn) ((__typeof__(&fn))host_call(&__urf_state.host.fn, #fn))
HIDDEN void host_prepare(void);
/* The program must not find a question of ours in the dynamic linker's error state. */
HIDDEN void forget_error(void);
/* The process's operators, for struct direct. */
HIDDEN void cxx_prepare(void);
/* The same without a look: only where it is not NULL, or is_below has said 1. */
#define DIRECT(fn) ((__typeof__(&fn))__urf_state.direct.fn)
/* 1 when the address lies in the library. */
HIDDEN int host_is_own(const void *p);
HIDDEN void *host_lookup(void **slot, const char *name);
/* The same, but NULL when the process has no such function. */
HIDDEN void *host_find(void **slot, const char *name);
static inline void *host_call(void **slot, const char *name)
{
  return __builtin_expect(*slot != 0, 1) ? *slot : host_lookup(slot, name);
}

/* The heap's lock; what is ours grows and shrinks with the heap while it is captured. */
static inline void heap_lock(void)
{
  while (__atomic_exchange_n(&__urf_state.lock, 1, __ATOMIC_ACQUIRE))
    ;
}

static inline uintptr_t page_up(uintptr_t n)
{
  return (n + HEAP_PAGE - 1) & ~(uintptr_t)(HEAP_PAGE - 1);
}

static inline void heap_unlock(void)
{
  __urf_state.owned_size = __urf_state.heap.top - __urf_state.owned;
  __atomic_store_n(&__urf_state.lock, 0, __ATOMIC_RELEASE);
}

/* alloc.c: allocation with the caller named, for the functions that allocate on behalf of others; a
 * library may have a malloc of its own, which must not get these blocks */
HIDDEN void *urf_malloc(size_t size, void *caller);
HIDDEN void *urf_realloc(void *p, size_t size, void *caller);
HIDDEN void urf_free(void *p);
HIDDEN int urf_memalign(void **out, size_t align, size_t size, void *caller);

/* replay.c: what init registered with atexit and pthread_atfork: put into order before the capture,
 * registered again at load */
HIDDEN void replay_seal(void);
HIDDEN void replay(void);

/* tls.c: the same for thread-local variables; where those of the calling thread are, NULL for none */
HIDDEN void tls_seal(void);
HIDDEN void tls_replay(void);
HIDDEN void *tls_block(void);

/* files.c: which of the image's pages are private mappings of files, which init made.  Addresses are those
 * of pages, caller allocates on their behalf; not 0 is an error, with errno set. */
HIDDEN int files_add(void *lo, size_t len, void *caller);
HIDDEN int files_forget(void *lo, size_t len, void *caller);
/* 1 when a page of the range is one. */
HIDDEN int files_have(const void *lo, size_t len);

/* keys.c signals.c: the same for keys of thread-specific data, with the values of the thread that
 * calls, and for what is done on signals */
HIDDEN void keys_seal(void);
HIDDEN void keys_replay(void);
HIDDEN void signals_seal(void);
HIDDEN void signals_replay(void);

/* fail.c: words on stderr; the library's file name; decimal digits at the end of a buffer of 24 bytes */
HIDDEN void say(const char *s);
HIDDEN const char *own_name(void);
HIDDEN const char *decimal(char *buf, uint64_t n);
/* 1, and the start of a line is said, when URF_DEBUG is 1. */
HIDDEN int tells(void);
/* Ends the process with one line that says why the library cannot be used. */
HIDDEN _Noreturn void thaw_fail(const char *what, const char *which);
HIDDEN _Noreturn void damaged(const char *where);

/* The image as it was loaded; run-time addresses. */
struct image {
  uintptr_t bias, region, region_end;
  const char *table;
};

/* A pointer at any address. */
struct word {
  uintptr_t value;
} __attribute__((packed, may_alias));

/* Numbers of a site list cannot run past its end: check has seen that the last one ends there. */
static inline uintptr_t get_uleb(const unsigned char **at)
{
  uintptr_t n = 0;
  unsigned shift = 0;
  while (**at & 0x80) {
    n |= (uintptr_t)(*(*at)++ & 0x7f) << shift % 64;
    shift += 7;
  }
  return n | (uintptr_t) * (*at)++ << shift % 64;
}

static inline void must_hold(const struct image *image, uintptr_t at, const char *list)
{
  if (__builtin_expect(at - image->region > image->region_end - image->region - sizeof(uintptr_t),
                       0))
    damaged(list);
}

/* thaw.c: where the image of a frozen library is */
HIDDEN void image_of(struct image *image);

/* relocate.c: the kernel, without libc's functions, which a program may not have otherwise; its errors are -4095 to
 * -1, syscall(2) */
HIDDEN uintptr_t ask_kernel(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d,
                            uintptr_t e);
/* relocate.c: adds the bias to every pointer, and tells how many stretches have been copied for that: the
 * first ones of way URF_COPY; or to those of a site list, in pairs when it is one of rotated words */
HIDDEN unsigned relocate(const struct image *image);
HIDDEN void relocate_list(const struct image *image, const char *name, uint64_t offset,
                          uint64_t size, int pairs);

/* check.c: ends the process when the note or the table is damaged, or not for this process; nothing
 * has been written by then */
HIDDEN void check(const struct image *image);

/* Why the frozen state cannot be used in this process; what is NULL when it can. */
struct reason {
  const char *what, *which;
};

/* One by one: of a whole struct of constants compilers make an object in .data, where its pointers are still
 * link-time addresses. */
static inline void because(struct reason *why, const char *what, const char *which)
{
  why->what = what;
  why->which = which;
}

/* NULL under musl, which has no versions. */
extern void *dlvsym_or_null(void *, const char *, const char *) __asm__("dlvsym")
    __attribute__((weak));

/* bind.c: whether all imports are to be had and all conditions hold, which is to be asked first; stores
 * them. */
HIDDEN int imports_hold(const struct image *image, struct reason *why);
HIDDEN void imports_bind(const struct image *image);
/* Ends the process when another module has a variable of the library's, as a program that was linked with it
 * and has a copy: taken of what was frozen. */
HIDDEN void copies_hold(const struct image *image);
/* Of URF_IMPORT_FOLLOW: how far its words have been moved, which hold link-time addresses. */
HIDDEN uintptr_t follow_distance(const struct image *image, const struct urf_import *import);

/* fallback.c: makes the relocated image that of the library as it was linked, runs its constructors, which get the
 * three arguments, and init */
struct arguments {
  int argc;
  char **argv, **envp;
};
HIDDEN void urf_fallback(const struct image *image, const struct arguments *a);
/* Who starts it provides this, for when the image is as it was linked. */
HIDDEN void fell_back(const struct image *image);

/* cpu.c: URF_CPU_WORDS words; the second sets *why when one of them has a feature that this CPU has not.  On
 * some machines libc has to be asked: it is called without it (libc 0), and once more when that is there (1); a
 * static program asks nobody (-1). */
HIDDEN void cpu_features(uint32_t *words);
HIDDEN void cpu_holds(const volatile uint32_t *words, int libc, struct reason *why);
/* getauxval(3): by way of libc, or in a static program without it, before init may have changed the environment. */
HIDDEN unsigned long kernel_says(unsigned long type);

/* The same as cpu_holds of the kernel's pages, by flags as in struct urf_note, when libc can be asked. */
static inline void pages_hold(uint32_t flags, struct reason *why)
{
  if (URF_LARGEST_PAGE > HEAP_PAGE && flags & URF_PAGES && kernel_says(AT_PAGESZ) != HEAP_PAGE)
    because(why, "init may have seen that pages have 4096 bytes, and here they have not", "");
}

/* stats.c: nanoseconds of a clock, CLOCK_...; the line of URF_DEBUG */
HIDDEN uint64_t stats_clock(int clock);
HIDDEN void stats_report(void);

/* 1 for an address inside the image's heap, as far as the image really maps one. */
static inline int urf_owns(const void *p)
{
  return (uintptr_t)p - __urf_state.owned < __urf_state.owned_size;
}

/* 1 for one that is certainly not, once struct direct is filled.  One comparison is enough for nearly all:
 * what a process gets after it has loaded a library lies below it. */
static inline int is_below(const void *p)
{
  return __builtin_expect((uintptr_t)p < __urf_state.direct.below, 1);
}

#endif
