/* Errors, memory and growing arrays. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* bits */

enum { BITS = 64 };

void bitmap_init(struct bitmap *b, size_t n)
{
  *b = (struct bitmap){xalloc(n / BITS * sizeof *b->at + sizeof *b->at), n};
}

void bitmap_set(struct bitmap *b, size_t i, bool value)
{
  const uint64_t bit = (uint64_t)1 << i % BITS;
  b->at[i / BITS] = value ? b->at[i / BITS] | bit : b->at[i / BITS] & ~bit;
}

bool bitmap_get(const struct bitmap *b, size_t i)
{
  return i < b->n && b->at[i / BITS] >> i % BITS & 1;
}

size_t bitmap_next(const struct bitmap *b, size_t i)
{
  if (i >= b->n)
    return b->n;
  uint64_t bits = b->at[i / BITS] & ~(uint64_t)0 << i % BITS;
  for (i -= i % BITS; !bits && i + BITS < b->n; bits = b->at[i / BITS])
    i += BITS;
  return bits ? i + (size_t)__builtin_ctzll(bits) : b->n;
}

/* bytes */

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

static int by_range(const void *a, const void *b)
{
  const struct range *x = a, *y = b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

void mask_add(struct mask *m, size_t offset, size_t size)
{
  *PUSH(&m->list) = (struct range){offset, size};
}

void mask_sort(struct mask *m)
{
  struct range *to = m->list.at;
  sort(m->list.at, m->list.n, sizeof *m->list.at, by_range);
  for (size_t i = 1; i < m->list.n; i++) {
    const struct range r = m->list.at[i];
    const size_t end = to->offset + to->size;
    if (r.offset > end)
      *++to = r;
    else if (r.offset + r.size > end)
      to->size = r.offset + r.size - to->offset;
  }
  m->list.n = m->list.n ? (size_t)(to - m->list.at) + 1 : 0;
}

bool mask_touches(struct mask *m, size_t at, size_t n)
{
  while (m->next < m->list.n && m->list.at[m->next].offset + m->list.at[m->next].size <= at)
    m->next++;
  return m->next < m->list.n && m->list.at[m->next].offset < at + n;
}

void mask_page(struct mask *m, size_t at, size_t n, unsigned char *page, const unsigned char *from)
{
  (void)mask_touches(m, at, n);
  for (size_t i = m->next; i < m->list.n && m->list.at[i].offset < at + n; i++) {
    const struct range *r = &m->list.at[i];
    const size_t lo = r->offset < at ? 0 : r->offset - at;
    const size_t hi = r->offset + r->size - at < n ? r->offset + r->size - at : n;
    memcpy(page + lo, from + lo, hi - lo);
  }
}

int file_beside(const char *path, const void *bytes, size_t n, unsigned mode, char **temporary,
                struct error *e)
{
  const char *directory = getenv("TMPDIR"), *slash = strrchr(path, '/');
  char *name = xprintf("%.*s.turf-XXXXXX", slash ? (int)(slash + 1 - path) : 0, path);
  int fd = mkostemp(name, O_CLOEXEC);
  if (fd < 0) {
    free(name);
    name = xprintf("%s/turf-XXXXXX", directory && *directory ? directory : "/tmp");
    fd = mkostemp(name, O_CLOEXEC);
  }
  FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
  bool written;
  if (fd < 0) {
    (void)fail_errno(e, name, "cannot be created");
    free(name);
    return -1;
  }
  *temporary = name;
  if (!f) {
    (void)fail_errno(e, name, "cannot be written");
    close(fd);
    return -1;
  }
  written = !fchmod(fd, mode) && fwrite(bytes, 1, n, f) == n;
  if (fclose(f) || !written)
    return fail_errno(e, name, "cannot be written");
  return 0;
}
