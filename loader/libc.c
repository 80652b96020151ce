/* What libc would allocate on its own behalf, bound inside the library: the same functions on top
 * of our malloc, so that their results lie in the image during init and may be passed to our free
 * and realloc at any time. */

#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "loader.h"

#define CALLER __builtin_return_address(0)

BOUND char *__strdup(const char *s);
BOUND int __asprintf_chk(char **out, int flag, const char *format, ...);
BOUND int __vasprintf_chk(char **out, int flag, const char *format, va_list ap);
BOUND char *__strndup(const char *s, size_t n);
BOUND ssize_t __getdelim(char **line, size_t *size, int delim, FILE *f);

static void *copy(const void *s, size_t len, size_t end, void *caller)
{
  char *p = urf_malloc(len + end, caller);
  if (p) {
    memcpy(p, s, len);
    memset(p + len, 0, end);
  }
  return p;
}

BOUND char *strdup(const char *s)
{
  return copy(s, strlen(s), 1, CALLER);
}

BOUND char *__strdup(const char *s)
{
  return copy(s, strlen(s), 1, CALLER);
}

BOUND char *strndup(const char *s, size_t n)
{
  return copy(s, strnlen(s, n), 1, CALLER);
}

BOUND char *__strndup(const char *s, size_t n)
{
  return copy(s, strnlen(s, n), 1, CALLER);
}

BOUND wchar_t *wcsdup(const wchar_t *s)
{
  return copy(s, wcslen(s) * sizeof *s, sizeof *s, CALLER);
}

static int print(char **out, const char *format, va_list ap, void *caller)
{
  va_list again;
  va_copy(again, ap);
  int n = vsnprintf(0, 0, format, again);
  va_end(again);
  char *p = n < 0 ? 0 : urf_malloc((size_t)n + 1, caller);
  if (!p)
    return -1;
  *out = p;
  return vsnprintf(p, (size_t)n + 1, format, ap);
}

BOUND int vasprintf(char **out, const char *format, va_list ap)
{
  return print(out, format, ap, CALLER);
}

BOUND int asprintf(char **out, const char *format, ...)
{
  va_list ap;
  va_start(ap, format);
  int n = print(out, format, ap, CALLER);
  va_end(ap);
  return n;
}

/* Makes room for one more byte and the NUL. */
static int grow(char **line, size_t *size, size_t need, void *caller)
{
  if (*line && *size >= need)
    return 1;
  size_t n = *line && *size ? *size * 2 : 120;
  char *p = urf_realloc(*line, n, caller);
  if (!p)
    return 0;
  *line = p;
  *size = n;
  return 1;
}

/* What glibc's headers call under _FORTIFY_SOURCE. */
BOUND int __vasprintf_chk(char **out, int flag, const char *format, va_list ap)
{
  (void)flag;
  return print(out, format, ap, CALLER);
}

BOUND int __asprintf_chk(char **out, int flag, const char *format, ...)
{
  (void)flag;
  va_list ap;
  va_start(ap, format);
  int n = print(out, format, ap, CALLER);
  va_end(ap);
  return n;
}

static ssize_t get(char **line, size_t *size, int delim, FILE *f, void *caller)
{
  if (!line || !size) {
    errno = EINVAL;
    return -1;
  }
  size_t n = 0;
  int c = 0;
  delim = (unsigned char)delim;
  if (!grow(line, size, 1, caller)) /* at the end of the file there is a buffer, too */
    return -1;
  flockfile(f);
  while (c != delim || !n) {
    c = getc_unlocked(f);
    if (c == EOF)
      break;
    if (n >= SSIZE_MAX - 2 || !grow(line, size, n + 2, caller)) {
      n = 0;
      break;
    }
    (*line)[n++] = (char)c;
  }
  funlockfile(f);
  if (!n)
    return -1;
  (*line)[n] = 0;
  return (ssize_t)n;
}

BOUND ssize_t getdelim(char **line, size_t *size, int delim, FILE *f)
{
  return get(line, size, delim, f, CALLER);
}

BOUND ssize_t __getdelim(char **line, size_t *size, int delim, FILE *f)
{
  return get(line, size, delim, f, CALLER);
}

BOUND ssize_t getline(char **line, size_t *size, FILE *f)
{
  return get(line, size, '\n', f, CALLER);
}

static char *resolve(const char *path, void *caller)
{
  char buf[PATH_MAX];
  char *p = HOST(realpath)(path, buf);
  return p ? copy(p, strlen(p), 1, caller) : 0;
}

BOUND char *realpath(const char *restrict path, char *restrict out)
{
  return out ? HOST(realpath)(path, out) : resolve(path, CALLER);
}

BOUND char *canonicalize_file_name(const char *path)
{
  return resolve(path, CALLER);
}

static char *working_directory(size_t size, void *caller)
{
  char buf[PATH_MAX];
  if (!HOST(getcwd)(buf, sizeof buf))
    return 0;
  size_t len = strlen(buf);
  if (size && size <= len) {
    errno = ERANGE;
    return 0;
  }
  return copy(buf, len, size ? size - len : 1, caller);
}

BOUND char *getcwd(char *out, size_t size)
{
  return out ? HOST(getcwd)(out, size) : working_directory(size, CALLER);
}

BOUND char *get_current_dir_name(void)
{
  const char *pwd = getenv("PWD");
  struct stat a, b;
  if (pwd && *pwd && !stat(pwd, &a) && !stat(".", &b) && a.st_dev == b.st_dev &&
      a.st_ino == b.st_ino)
    return copy(pwd, strlen(pwd), 1, CALLER);
  return working_directory(0, CALLER);
}
