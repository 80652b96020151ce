/* The end of a program that cannot go on: one line on stderr. */

#include "loader.h"
#include "machine.h"

static void say_part(const char *s)
{
  long n = 0;
  while (s[n])
    n++;
  (void)machine_syscall6(URF_SYS_WRITE, 2, (long)s, n, 0, 0, 0);
}

void thaw_fail(const char *what, const char *which)
{
  say_part("urf: frozen program: ");
  say_part(what);
  say_part(" ");
  say_part(which);
  say_part("\n");
  for (;;)
    (void)machine_syscall6(URF_SYS_EXIT_GROUP, 127, 0, 0, 0, 0, 0);
}

void damaged(const char *where)
{
  thaw_fail("is damaged", where);
}
