/* C++ new and delete in all forms (Itanium C++ ABI names); nothing here needs a C++ library.  While
 * init runs they serve from the in-image heap; at any other time they are the process's own
 * operators, which a program may have replaced, or malloc and free where it has none. */

#include <stdlib.h>

#include "loader.h"

#define S (&__urf_state)
#define Z URF_SIZE_T_MANGLED
#define ALIGNED "St11align_val_t"
#define NOTHROW "RKSt9nothrow_t"
#define CALLER __builtin_return_address(0)

#include "machine.h"

enum { NEW, NEW_A, NEW_N, NEW_AN, NEW_L, NEW_AL, NEW_LN, NEW_ALN, DEL, DEL_A, DEL_L, DEL_AL };

// clang-format off
static const char names[CXX_OPERATORS][40] = {
    "_Znw" Z,           "_Zna" Z,           "_Znw" Z NOTHROW,
    "_Zna" Z NOTHROW,   "_Znw" Z ALIGNED,   "_Zna" Z ALIGNED,
    "_Znw" Z ALIGNED NOTHROW, "_Zna" Z ALIGNED NOTHROW,
    "_ZdlPv",           "_ZdaPv",           "_ZdlPv" ALIGNED, "_ZdaPv" ALIGNED,
};
// clang-format on

void cxx_prepare(void)
{
  for (int op = 0; op < CXX_OPERATORS; op++)
    (void)host_find(&S->direct.operators[op], names[op]);
}

/* NULL while allocations are captured, and where the process has no such operator. */
static void *find(int op)
{
  void *slot = S->direct.operators[op];
  return slot || S->capture || DIRECT(malloc) ? slot : host_find(&slot, names[op]);
}

/* The C++ standard has operator new return a unique pointer for size 0, and throw when it fails. */
static void *take(size_t size, size_t align, int throws, void *caller)
{
  void *p = 0;
  size += !size;
  if (!align)
    p = urf_malloc(size, caller);
  else if (urf_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size, caller))
    p = 0;
  if (!p && throws) {
    void *slot = 0;
    void (*throw_bad_alloc)(void) = host_find(&slot, "_ZSt17__throw_bad_allocv");
    if (throw_bad_alloc)
      throw_bad_alloc();
    abort();
  }
  return p;
}

COLD static void *long_get(int op, size_t size, const void *nothrow, void *caller)
{
  void *(*fn)(size_t, const void *) = find(op);
  return fn ? fn(size, nothrow) : take(size, 0, !nothrow, caller);
}

static inline void *get(int op, size_t size, const void *nothrow, void *caller)
{
  void *(*fn)(size_t, const void *) = S->direct.operators[op];
  return __builtin_expect(fn != 0, 1) ? fn(size, nothrow) : long_get(op, size, nothrow, caller);
}

static void *get_aligned(int op, size_t size, size_t align, const void *nothrow, void *caller)
{
  void *(*fn)(size_t, size_t, const void *) = find(op);
  return fn ? fn(size, align, nothrow) : take(size, align, !nothrow, caller);
}

__attribute__((noinline)) static void put_above(int op, void *p, size_t align)
{
  void (*fn)(void *, size_t) = urf_owns(p) ? 0 : find(op);
  if (fn)
    fn(p, align);
  else
    urf_free(p);
}

static inline void put(int op, void *p, size_t align)
{
  void (*fn)(void *, size_t) = S->direct.operators[op];
  if (is_below(p) && fn)
    fn(p, align);
  else
    put_above(op, p, align);
}

#define OPERATOR(result, name, symbol, ...)                                                        \
  BOUND result name(__VA_ARGS__) __asm__(symbol);                                                  \
  result name(__VA_ARGS__)

// clang-format off
OPERATOR(void *, new_, "_Znw" Z, size_t n) { return get(NEW, n, 0, CALLER); }
OPERATOR(void *, new_a, "_Zna" Z, size_t n) { return get(NEW_A, n, 0, CALLER); }
OPERATOR(void *, new_n, "_Znw" Z NOTHROW, size_t n, const void *t)
{
  return get(NEW_N, n, t, CALLER);
}
OPERATOR(void *, new_an, "_Zna" Z NOTHROW, size_t n, const void *t)
{
  return get(NEW_AN, n, t, CALLER);
}
OPERATOR(void *, new_l, "_Znw" Z ALIGNED, size_t n, size_t align)
{
  return get_aligned(NEW_L, n, align, 0, CALLER);
}
OPERATOR(void *, new_al, "_Zna" Z ALIGNED, size_t n, size_t align)
{
  return get_aligned(NEW_AL, n, align, 0, CALLER);
}
OPERATOR(void *, new_ln, "_Znw" Z ALIGNED NOTHROW, size_t n, size_t align, const void *t)
{
  return get_aligned(NEW_LN, n, align, t, CALLER);
}
OPERATOR(void *, new_aln, "_Zna" Z ALIGNED NOTHROW, size_t n, size_t align, const void *t)
{
  return get_aligned(NEW_ALN, n, align, t, CALLER);
}

#define DELETE(name, symbol, op) OPERATOR(void, name, symbol, void *p) { put(op, p, 0); }
#define DELETE_ALIGNED(name, symbol, op)                                                           \
  OPERATOR(void, name, symbol, void *p, size_t align) { put(op, p, align); }

DELETE(del, "_ZdlPv", DEL)
DELETE(del_a, "_ZdaPv", DEL_A)
DELETE(del_s, "_ZdlPv" Z, DEL)
DELETE(del_as, "_ZdaPv" Z, DEL_A)
DELETE(del_n, "_ZdlPv" NOTHROW, DEL)
DELETE(del_an, "_ZdaPv" NOTHROW, DEL_A)
DELETE_ALIGNED(del_l, "_ZdlPv" ALIGNED, DEL_L)
DELETE_ALIGNED(del_al, "_ZdaPv" ALIGNED, DEL_AL)
DELETE_ALIGNED(del_ln, "_ZdlPv" ALIGNED NOTHROW, DEL_L)
DELETE_ALIGNED(del_aln, "_ZdaPv" ALIGNED NOTHROW, DEL_AL)
// clang-format on

OPERATOR(void, del_ls, "_ZdlPv" Z ALIGNED, void *p, size_t n, size_t align)
{
  (void)n;
  put(DEL_L, p, align);
}
OPERATOR(void, del_als, "_ZdaPv" Z ALIGNED, void *p, size_t n, size_t align)
{
  (void)n;
  put(DEL_AL, p, align);
}
