/* atexit and __cxa_atexit, bound inside the library: what init registers (destructors of C++
 * statics among it) is remembered in the image and registered again at load, in the same order. */

#include "loader.h"

#define S (&__urf_state)

BOUND int __cxa_atexit(void (*fn)(void *), void *arg, void *dso);
BOUND int atexit(void (*fn)(void));
extern HIDDEN void *__dso_handle __attribute__((weak));

struct registration {
  struct registration *next;
  void (*fn)(void *);
  void *arg;
};

/* Frozen with the rest of the image, the latest first. */
static struct registration *registrations;

static int to_host(void (*fn)(void *), void *arg, void *dso)
{
  return HOST(__cxa_atexit)(fn, arg, dso);
}

int __cxa_atexit(void (*fn)(void *), void *arg, void *dso)
{
  if (!S->capture)
    return to_host(fn, arg, dso);
  struct registration *r = urf_malloc(sizeof *r, __builtin_return_address(0));
  if (!r)
    return -1;
  *r = (struct registration){registrations, fn, arg};
  registrations = r;
  return 0;
}

int atexit(void (*fn)(void))
{
  return __cxa_atexit((void (*)(void *))(uintptr_t)fn, 0, &__dso_handle);
}

/* Turns the list round, so that replaying it need not write. */
void exit_seal(void)
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

void exit_replay(void)
{
  for (struct registration *r = registrations; r; r = r->next) {
    ready_streams(r);
    if (to_host(r->fn, r->arg, &__dso_handle))
      thaw_fail("out of memory in", "__cxa_atexit");
  }
}
