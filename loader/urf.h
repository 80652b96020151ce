/* What a library linked with -T urf.ld may ask of its loader.  C and C++. */
#ifndef URF_H
#define URF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 1 when this library is what turf freeze has made of it, 0 when init has made it so in this process or
 * has yet to. */
int urf_frozen(void) __attribute__((visibility("hidden")));
/* 1 when the library came initialised, and whoever has loaded it need not run init: it is frozen or,
 * where the frozen state could not be used, has run init when it was loaded. */
int urf_initialised(void) __attribute__((visibility("hidden")));

/* What the load of the frozen library took; all zero when it is not frozen. */
struct urf_stats {
  uint64_t words;   /* pointers that were relocated; none at the preferred base */
  uint64_t imports; /* words that hold an address of another module, or of the thread */
  uint64_t
      pages; /* of the library's variables and heap, of 4096 bytes, that were written for that */
  uint64_t nanoseconds; /* from the loader's start until the functions of URF_ON_THAW are called */
};
struct urf_stats urf_stats(void) __attribute__((visibility("hidden")));

#ifdef __cplusplus
}
#endif

/* At file scope: has fn, a void (*)(void), called by turf freeze when all init functions have run, or
 * whenever the frozen library is loaded, with everything in its place (to draw a new random seed, to
 * look at the time).  Several are called in the order in which the linker sees them. */
#define URF_ON_FREEZE(fn) URF_HOOK_(fn, on_freeze, __COUNTER__)
#define URF_ON_THAW(fn) URF_HOOK_(fn, on_thaw, __COUNTER__)

/* Before a variable of static storage: it is not frozen, and starts with its initialiser when the frozen
 * library is loaded, whatever init has made of it. */
#define URF_TRANSIENT URF_CONSTINIT_ __attribute__((section(".urf.transient")))

/* No constructor gives it its value at load: C++ has to know the initialiser. */
#if defined __cplusplus && defined __clang__
#define URF_CONSTINIT_ __attribute__((require_constant_initialization))
#elif defined __cplusplus && __GNUC__ >= 10
#define URF_CONSTINIT_ __constinit
#else
#define URF_CONSTINIT_
#endif

#define URF_HOOK_(fn, when, n) URF_HOOK__(fn, when, n)
#define URF_HOOK__(fn, when, n)                                                                    \
  URF_CONSTANT_ static void (*const urf_##when##_##n)(void)                                        \
      __attribute__((used, section("urf_" #when) URF_IN_ORDER_)) = fn

/* Hooks run when no constructor of the library does. */
#if defined __cplusplus && __cplusplus >= 201103L
#define URF_CONSTANT_ constexpr
#else
#define URF_CONSTANT_
#endif

/* gcc may put variables of a file in another order. */
#ifdef __has_attribute
#if __has_attribute(no_reorder)
#define URF_IN_ORDER_ , no_reorder
#endif
#endif
#ifndef URF_IN_ORDER_
#define URF_IN_ORDER_
#endif

#endif
