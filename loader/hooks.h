/* The functions that users have called at the freeze and at load.  Part of the one file that calls them. */
#ifndef URF_HOOKS_H
#define URF_HOOKS_H

#include "loader.h"

typedef void (*hook)(void);
/* note.h: words before, between and behind the two arrays, see urf.ld */
extern HIDDEN const hook urf_hooks_0[1], urf_hooks_1[1], urf_hooks_2[1];

static void call_all(const hook *from, const hook *end)
{
  for (; from < end; from++)
    (*from)();
}

static int has_hooks(void)
{
  return (uintptr_t)(urf_hooks_1 + 1) != (uintptr_t)urf_hooks_2;
}

static void on_thaw(void)
{
  call_all(urf_hooks_1 + 1, urf_hooks_2);
}

static void on_freeze(void)
{
  call_all(urf_hooks_0 + 1, urf_hooks_1);
}

#endif
