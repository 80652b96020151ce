/* Private mappings of files whose bytes the image has.  They differ from anonymous memory in what the kernel
 * does when a program discards or grows them: it reads the file, which may be another one by then, or
 * gone. */

#include <errno.h>

#include "loader.h"

#define S (&__urf_state)

struct file {
  struct file *next;
  char *lo, *hi;
};

/* Frozen with the rest of the image; none lies over another. */
static struct file *files;

static void lock(void)
{
  while (__atomic_exchange_n(&S->files_lock, 1, __ATOMIC_ACQUIRE))
    ;
}

static void unlock(void)
{
  __atomic_store_n(&S->files_lock, 0, __ATOMIC_RELEASE);
}

int files_add(void *lo, size_t len, void *caller)
{
  struct file *f = urf_malloc(sizeof *f, caller);
  if (!f)
    return -1;
  f->lo = lo;
  f->hi = f->lo + len;
  lock();
  f->next = files;
  __atomic_store_n(&files, f, __ATOMIC_RELEASE);
  unlock();
  return 0;
}

/* Takes a range out of one file's; with a hole in its middle the rest is put into *spare, which is then
 * NULL. */
static void cut(struct file *f, char *lo, char *hi, struct file **spare)
{
  if (hi <= f->lo || lo >= f->hi)
    return;
  if (lo > f->lo && hi < f->hi) {
    struct file *rest = *spare;
    *spare = 0;
    rest->next = f->next;
    rest->lo = hi;
    rest->hi = f->hi;
    f->next = rest;
    f->hi = lo;
  } else if (lo > f->lo)
    f->hi = lo;
  else
    f->lo = hi < f->hi ? hi : f->hi;
}

int files_forget(void *lo, size_t len, void *caller)
{
  char *from = lo, *to = from + page_up(len);
  struct file *spare, *gone = 0;
  if (!files_have(lo, len))
    return 0;
  if (!(spare = urf_malloc(sizeof *spare, caller))) {
    errno = ENOMEM;
    return -1;
  }
  lock();
  for (struct file **at = &files, *f; (f = *at);) {
    if (spare)
      cut(f, from, to, &spare);
    if (f->lo == f->hi) {
      *at = f->next;
      f->next = gone;
      gone = f;
    } else
      at = &f->next;
  }
  unlock();
  urf_free(spare);
  while (gone) {
    struct file *next = gone->next;
    urf_free(gone);
    gone = next;
  }
  return 0;
}

int files_have(const void *lo, size_t len)
{
  const char *from = lo, *to = from + page_up(len);
  int have = 0;
  if (!__atomic_load_n(&files, __ATOMIC_ACQUIRE)) /* as good as always */
    return 0;
  lock();
  for (const struct file *f = files; f && !have; f = f->next)
    have = from < f->hi && to > f->lo;
  unlock();
  return have;
}
