/* What the loader has to say, and the end of a process that cannot go on. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader.h"

#define NOTE (&__urf_note)

void say(const char *s)
{
  size_t n = strlen(s);
  while (n) {
    ssize_t done = write(2, s, n);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return;
    s += done;
    n -= (size_t)done;
  }
}

const char *own_name(void)
{
  Dl_info info;
  return dladdr((const void *)(uintptr_t)NOTE, &info) && info.dli_fname ? info.dli_fname
                                                                        : "urf library";
}

/* Decimal, at the end of a buffer of 24 bytes. */
const char *decimal(char *buf, uint64_t n)
{
  char *p = buf + 23;
  *p = 0;
  do
    *--p = (char)('0' + n % 10);
  while (n /= 10);
  return p;
}

/* A constructor cannot make dlopen return NULL, and half a library must not be left to run. */
void thaw_fail(const char *what, const char *which)
{
  char line[1024];
  const char *part[] = {"urf: ", own_name(), ": ", what, *which ? " " : "", which, "\n"};
  size_t n = 0;
  for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
    for (const char *s = part[i]; *s && n < sizeof line - 2; s++)
      line[n++] = *s;
  line[n - 1] = '\n';
  line[n] = 0;
  say(line);
  _exit(127);
}

void damaged(const char *where)
{
  thaw_fail("is damaged:", where);
}

int tells(void)
{
  const char *debug = secure_getenv("URF_DEBUG");
  if (!debug || strcmp(debug, "1") != 0)
    return 0;
  say("urf: ");
  say(own_name());
  return 1;
}
