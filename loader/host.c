/* The way to the process's own functions.  Inside the library `malloc` is ours, so the process's is
 * asked of the dynamic linker, by name, when it is first needed: that finds an interposed one
 * too. */

#include <dlfcn.h>

#include "loader.h"

void *host_find(void **slot, const char *name)
{
  void *fn = dlsym(RTLD_DEFAULT, name);
  if (fn)
    __atomic_store_n(slot, fn, __ATOMIC_RELAXED);
  else
    (void)dlerror(); /* the program must not find our question in its error state */
  return fn;
}

void *host_lookup(void **slot, const char *name)
{
  void *fn = host_find(slot, name);
  if (!fn)
    thaw_fail("the process has no function", name);
  return fn;
}
