/* The functions that users have called at the freeze and at load.  Part of the one file that calls them. */
#ifndef URF_HOOKS_H
#define URF_HOOKS_H

#include "loader.h"

typedef void (*hook)(void);
/* The ends of urf.h's sections: urf.ld defines them, and so does a linker without it that sees one. */
#define END_OF_HOOKS extern HIDDEN __attribute__((weak)) const hook
END_OF_HOOKS __start_urf_on_freeze[], __stop_urf_on_freeze[];
END_OF_HOOKS __start_urf_on_thaw[], __stop_urf_on_thaw[];

static void call_all(const hook *from, const hook *end)
{
  for (; from < end; from++)
    (*from)();
}

static int has_hooks(void)
{
  return (uintptr_t)__start_urf_on_thaw != (uintptr_t)__stop_urf_on_thaw;
}

static void on_thaw(void)
{
  call_all(__start_urf_on_thaw, __stop_urf_on_thaw);
}

static void on_freeze(void)
{
  call_all(__start_urf_on_freeze, __stop_urf_on_freeze);
}

#endif
