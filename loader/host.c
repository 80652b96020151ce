/* The way to the process's own functions.  Inside the library `malloc` is ours, so the process's is
 * asked of the dynamic linker, by name: that finds an interposed one too. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

#include "loader.h"

/* glibc's dlerror would write the message now, which brings six pages of libc in; a question that has an answer
 * makes it forget. */
void forget_error(void)
{
  (void)dlsym(RTLD_DEFAULT, "dlsym");
  (void)dlerror();
}

void *host_find(void **slot, const char *name)
{
  void *fn = dlsym(RTLD_DEFAULT, name);
  if (fn)
    __atomic_store_n(slot, fn, __ATOMIC_RELAXED);
  else
    forget_error();
  return fn;
}

unsigned long kernel_says(unsigned long type)
{
  void *slot = 0;
  unsigned long (*ask)(unsigned long) =
      (unsigned long (*)(unsigned long))host_find(&slot, "getauxval");
  return ask ? ask(type) : 0;
}

int host_is_own(const void *p)
{
  Dl_info own, other;
  return dladdr((const void *)(uintptr_t)&__urf_note, &own) && dladdr(p, &other) &&
         own.dli_fbase == other.dli_fbase;
}

void host_prepare(void)
{
#define NAME(name) #name "\0"
  static const char names[] = HOST_CALLS(NAME);
#undef NAME
  void **slot = (void **)&__urf_state.host;
  for (const char *name = names; *name; name += strlen(name) + 1)
    (void)host_find(slot++, name);
  cxx_prepare();
  struct state *s = &__urf_state;
  s->direct.malloc = s->host.malloc;
  s->direct.calloc = s->host.calloc;
  s->direct.realloc = s->host.realloc;
  s->direct.free = s->host.free;
  /* behind the functions, which it says are there */
  __atomic_store_n(&s->direct.below, s->owned_size ? s->owned : UINTPTR_MAX, __ATOMIC_RELEASE);
}

void *host_lookup(void **slot, const char *name)
{
  void *fn = host_find(slot, name);
  if (!fn)
    thaw_fail("the process has no function", name);
  return fn;
}
