/* Errors, memory and growing arrays. */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "turf.h"

static int set(struct error *e, enum status status, char *text)
{
  if (e->text) { /* the first one is the cause, the rest are its consequences */
    free(text);
    return -1;
  }
  e->status = status;
  e->text = text;
  return -1;
}

int fail(struct error *e, enum status status, const char *format, ...)
{
  va_list ap;
  va_start(ap, format);
  char *text = xvprintf(format, ap);
  va_end(ap);
  return set(e, status, text);
}

int fail_errno(struct error *e, const char *file, const char *what)
{
  return set(e, SYSTEM, xprintf("%s: %s: %s", file, what, strerror(errno)));
}

void error_free(struct error *e)
{
  free(e->text);
  e->text = NULL;
}

void *xcheck(void *p)
{
  if (p)
    return p;
  fputs("turf: out of memory\n", stderr);
  freeze_cleanup();
  exit(SYSTEM);
}

void *xalloc(size_t size)
{
  return xcheck(calloc(1, size + !size));
}

void *xrealloc(void *p, size_t size)
{
  return xcheck(realloc(p, size + !size));
}

char *xstrdup(const char *s)
{
  return xcheck(strdup(s));
}

char *xvprintf(const char *format, va_list ap)
{
  char *text;
  if (vasprintf(&text, format, ap) < 0)
    text = NULL;
  return xcheck(text);
}

char *xprintf(const char *format, ...)
{
  va_list ap;
  va_start(ap, format);
  char *text = xvprintf(format, ap);
  va_end(ap);
  return text;
}

void grow(void *array, size_t n, size_t *cap, size_t size)
{
  void *p;
  if (n < *cap)
    return;
  *cap = *cap ? *cap * 2 : 16;
  memcpy(&p, array, sizeof p);
  p = xrealloc(p, *cap * size);
  memset((char *)p + n * size, 0, (*cap - n) * size);
  memcpy(array, &p, sizeof p);
}

void sort(void *at, size_t n, size_t size, int (*compare)(const void *, const void *))
{
  if (n)
    qsort(at, n, size, compare);
}

void put_bytes(struct bytes *b, const void *data, size_t n)
{
  while (b->cap - b->n < n) {
    b->cap = b->cap ? b->cap * 2 : 256;
    b->at = xrealloc(b->at, b->cap);
  }
  if (n)
    memcpy(b->at + b->n, data, n);
  b->n += n;
}

void put_uleb(struct bytes *b, uint64_t n)
{
  do {
    unsigned char c = (unsigned char)((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
    put_bytes(b, &c, 1);
  } while (n >>= 7);
}

bool get_uleb(const unsigned char **at, const unsigned char *end, uint64_t *n)
{
  *n = 0;
  for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
    *n |= (uint64_t)(**at & 0x7f) << shift;
    if (!(*(*at)++ & 0x80))
      return true;
  }
  return false;
}

void copy_sparse(unsigned char *to, const unsigned char *from, size_t n)
{
  static const unsigned char zeros[4096];
  for (size_t at = 0; at < n; at += sizeof zeros) {
    size_t part = n - at < sizeof zeros ? n - at : sizeof zeros;
    if (memcmp(from + at, zeros, part) != 0)
      memcpy(to + at, from + at, part);
  }
}

uint64_t get_word(const void *p, unsigned word)
{
  uint32_t half;
  uint64_t whole;
  if (word == sizeof half)
    return memcpy(&half, p, sizeof half), half;
  return memcpy(&whole, p, sizeof whole), whole;
}

bool own_is_variable(const struct library *lib, const struct own *own)
{
  return own->kind == OWN_OBJECT && own->value - lib->note.data < lib->region_size;
}

bool is_condition(enum urf_import_kind kind)
{
  return kind == URF_IMPORT_SAME || kind == URF_IMPORT_SAME_VALUE || kind == URF_IMPORT_OWN;
}

uint64_t rotate_left(uint64_t value, unsigned word, unsigned by)
{
  const unsigned bits = 8 * word;
  const uint64_t mask = ~(uint64_t)0 >> (64 - bits);
  return by ? (value << by | (value & mask) >> (bits - by)) & mask : value;
}

void put_word(void *p, unsigned word, uint64_t value)
{
  uint32_t half = (uint32_t)value;
  if (word == sizeof half)
    memcpy(p, &half, sizeof half);
  else
    memcpy(p, &value, sizeof value);
}

char *turf_lib_dir(void)
{
  char *program = realpath("/proc/self/exe", NULL), *slash = program ? strrchr(program, '/') : NULL;
  char *name = slash ? xprintf("%.*s/../lib", (int)(slash - program), program) : xstrdup("../lib");
  char *dir = realpath(name, NULL);
  free(program);
  if (!dir)
    return name;
  free(name);
  return dir;
}

/* ranges */

static int by_offset(const void *a, const void *b)
{
  const struct cover_range *x = a, *y = b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

void cover_add(struct cover *c, size_t offset, size_t size, size_t index)
{
  *PUSH(&c->list) = (struct cover_range){offset, offset + size, 0, index};
}

size_t count_below(const void *at, size_t n, size_t size, size_t key, uint64_t limit)
{
  size_t lo = 0;
  while (lo < n) {
    const size_t middle = lo + (n - lo) / 2;
    uint64_t value;
    memcpy(&value, (const char *)at + middle * size + key, sizeof value);
    if (value < limit)
      lo = middle + 1;
    else
      n = middle;
  }
  return lo;
}

void cover_sort(struct cover *c)
{
  size_t reach = 0;
  sort(c->list.at, c->list.n, sizeof *c->list.at, by_offset);
  for (size_t i = 0; i < c->list.n; i++) {
    reach = c->list.at[i].end > reach ? c->list.at[i].end : reach;
    c->list.at[i].reach = reach;
  }
}

size_t cover_find(const struct cover *c, size_t offset, size_t size)
{
  size_t lo = 0, hi = c->list.n, first = SIZE_MAX;
  while (lo < hi) {
    size_t middle = lo + (hi - lo) / 2;
    if (c->list.at[middle].offset <= offset)
      lo = middle + 1;
    else
      hi = middle;
  }
  while (lo-- && c->list.at[lo].reach >= offset + size)
    if (c->list.at[lo].end >= offset + size && c->list.at[lo].index < first)
      first = c->list.at[lo].index;
  return first;
}
