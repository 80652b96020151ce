/* atexit, __cxa_atexit, __cxa_thread_atexit(_impl) and pthread_atfork, bound inside the library: what init registers (destructors
 * of C++ statics among it) is remembered in the image and registered again at load, in the same
 * order. */

#include <errno.h>
#include <pthread.h>

#include "loader.h"

#define S (&__urf_state)
#define CALLER __builtin_return_address(0)

typedef void handler(void);

BOUND int __cxa_atexit(void (*fn)(void *), void *arg, void *dso);
BOUND int __aeabi_atexit(void *arg, void (*fn)(void *), void *dso);
BOUND int __cxa_thread_atexit(void (*fn)(void *), void *arg, void *dso);
BOUND int __cxa_thread_atexit_impl(void (*fn)(void *), void *arg, void *dso);
BOUND int atexit(handler *fn);
BOUND int __register_atfork(handler *prepare, handler *parent, handler *child, void *dso);
extern HIDDEN void *__dso_handle __attribute__((weak));

struct registration {
  struct registration *next;
  void (*fn)(void *); /* at exit of the process, or of the thread, with arg; else at fork */
  int thread;
  void *arg;
  handler *prepare, *parent, *child;
};

/* Frozen with the rest of the image, the latest first. */
static struct registration *registrations;

/* glibc has it, or else a C++ library. */
static int thread_exit_to_host(void (*fn)(void *), void *arg)
{
  int (*host)(void (*)(void *), void *, void *) = S->host.__cxa_thread_atexit_impl;
  if (!host)
    host = S->host.__cxa_thread_atexit;
  return host ? host(fn, arg, &__dso_handle) : -1;
}

/* glibc's fork handlers take the library's handle, so that dlclose withdraws them; musl's do not. */
static int to_host(const struct registration *r)
{
  if (r->thread)
    return thread_exit_to_host(r->fn, r->arg);
  if (r->fn)
    return HOST(__cxa_atexit)(r->fn, r->arg, &__dso_handle);
  if (S->host.__register_atfork)
    return HOST(__register_atfork)(r->prepare, r->parent, r->child, &__dso_handle);
  return HOST(pthread_atfork)(r->prepare, r->parent, r->child);
}

static int remember(const struct registration *given, void *caller)
{
  struct registration *r = urf_malloc(sizeof *r, caller);
  if (!r)
    return ENOMEM;
  *r = *given;
  r->next = registrations;
  registrations = r;
  return 0;
}

int __cxa_atexit(void (*fn)(void *), void *arg, void *dso)
{
  const struct registration r = {.fn = fn, .arg = arg};
  if (S->capture)
    return remember(&r, CALLER) ? -1 : 0;
  return HOST(__cxa_atexit)(fn, arg, dso);
}

/* What compilers call instead on arm (C++ ABI for the Arm Architecture, 3.2.5.3). */
int __aeabi_atexit(void *arg, void (*fn)(void *), void *dso)
{
  return __cxa_atexit(fn, arg, dso);
}

/* Destructors of C++ thread_local objects: those of the thread that runs init are its heir's. */
static int at_thread_exit(void (*fn)(void *), void *arg, void *caller)
{
  const struct registration r = {.fn = fn, .thread = 1, .arg = arg};
  if (S->capture && S->thread == (uintptr_t)HOST(pthread_self)())
    return remember(&r, caller) ? -1 : 0;
  return thread_exit_to_host(fn, arg);
}

int __cxa_thread_atexit(void (*fn)(void *), void *arg, void *dso)
{
  (void)dso;
  return at_thread_exit(fn, arg, CALLER);
}

/* glibc's, which the function above calls when it is that of a C++ library linked in; Rust does, too. */
int __cxa_thread_atexit_impl(void (*fn)(void *), void *arg, void *dso)
{
  (void)dso;
  return at_thread_exit(fn, arg, CALLER);
}

int atexit(handler *fn)
{
  return __cxa_atexit((void (*)(void *))(uintptr_t)fn, 0, &__dso_handle);
}

/* While init runs it may fork as well. */
int __register_atfork(handler *prepare, handler *parent, handler *child, void *dso)
{
  const struct registration r = {.prepare = prepare, .parent = parent, .child = child};
  (void)dso;
  int error = to_host(&r);
  return error || !S->capture ? error : remember(&r, CALLER);
}

BOUND int pthread_atfork(handler *prepare, handler *parent, handler *child)
{
  return __register_atfork(prepare, parent, child, 0);
}

/* Turns the list round, so that replaying it need not write. */
void replay_seal(void)
{
  struct registration *turned = 0;
  for (struct registration *r = registrations, *next; r; r = next) {
    next = r->next;
    r->next = turned;
    turned = r;
  }
  registrations = turned;
}

/* <iostream> has a static object in each file, whose constructor readies std::cout and its like in the
 * C++ library and whose destructor flushes them.  The constructor is told again as well; it counts. */
static void ready_streams(const struct registration *r)
{
  void *slot = 0;
  if (!host_find(&slot, "_ZNSt8ios_base4InitD1Ev") || slot != (void *)(uintptr_t)r->fn ||
      host_is_own(slot))
    return;
  void (*construct)(void *) = host_find(&slot, "_ZNSt8ios_base4InitC1Ev");
  if (construct)
    construct(r->arg);
}

void replay(void)
{
  for (const struct registration *r = registrations; r; r = r->next) {
    ready_streams(r);
    if (to_host(r))
      thaw_fail("out of memory in", r->fn ? "__cxa_atexit" : "pthread_atfork");
  }
}
