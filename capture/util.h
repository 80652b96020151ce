/* What every step of the freezer needs: errors, memory, lists, bits and bytes. */
#ifndef UTIL_H
#define UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "format.h"

enum status { DONE = 0, REFUSED = 1, USAGE = 2, SYSTEM = 3, MISMATCH = 4 };

/* What went wrong; text is one or more lines for the user and owned by the struct. */
struct error {
  enum status status;
  char *text;
};

/* All return -1.  The second appends the text of errno, the third (in file.c) that of libelf. */
int fail(struct error *e, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int fail_errno(struct error *e, const char *file, const char *what);
int fail_elf(struct error *e, enum status status, const char *file, const char *what);
void error_free(struct error *e);

/* When there is no memory they end the program, with a message and nothing left behind.  The first
 * does so for NULL and returns anything else; size 0 gives a pointer, too. */
void *xcheck(void *p);
void *xalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xvprintf(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));
char *xprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A new temporary file with the n bytes, next to path, so that $ORIGIN means the same, or where nothing can be
 * written there elsewhere.  *temporary: its name, owned by the caller, also in case of failure once it exists. */
int file_beside(const char *path, const void *bytes, size_t n, unsigned mode, char **temporary,
                struct error *e);
/* Where turf's own files are: the directory DIR/../lib of the running DIR/turf.  Owned by the
 * caller. */
char *turf_lib_dir(void);

/* A growing array: n elements of the given size, room for cap of them. */
#define LIST(type)                                                                                 \
  struct {                                                                                         \
    type *at;                                                                                      \
    size_t n, cap;                                                                                 \
  }
#define PUSH(list)                                                                                 \
  (grow(&(list)->at, (list)->n, &(list)->cap, sizeof *(list)->at), &(list)->at[(list)->n++])
void grow(void *array, size_t n, size_t *cap, size_t size);
/* How many of n elements, size bytes apart, come before limit: each has a uint64_t at the offset key, and
 * they are sorted by that. */
size_t count_below(const void *at, size_t n, size_t size, size_t key, uint64_t limit);
#define COUNT_BELOW(list, key, limit)                                                              \
  count_below((list)->at, (list)->n, sizeof *(list)->at, offsetof(__typeof__(*(list)->at), key),   \
              limit)
/* qsort, also of nothing. */
void sort(void *at, size_t n, size_t size, int (*compare)(const void *, const void *));

/* Ranges that may be many and overlap: which of them has all of some bytes? */
struct cover_range {
  size_t offset, end, reach; /* reach: the last end of it and those before it */
  size_t index;
};
struct cover {
  LIST(struct cover_range) list;
};
void cover_add(struct cover *c, size_t offset, size_t size, size_t index);
/* Between the last cover_add and the first cover_find; the caller frees list.at. */
void cover_sort(struct cover *c);
/* The smallest index of those that have all of it, or SIZE_MAX. */
size_t cover_find(const struct cover *c, size_t offset, size_t size);

struct range {
  size_t offset, size; /* in the region */
};

/* Bytes that are not compared: ranges, which may overlap until they are sorted. */
struct mask {
  LIST(struct range) list;
  size_t next; /* the first that does not end before the page which was asked for last */
};
void mask_add(struct mask *m, size_t offset, size_t size);
/* Between the last mask_add and the first mask_page; the caller frees list.at. */
void mask_sort(struct mask *m);
/* Whether any is on the page of n bytes at that offset; pages are asked for in order. */
bool mask_touches(struct mask *m, size_t at, size_t n);
/* Copies those bytes of that page to it from another one. */
void mask_page(struct mask *m, size_t at, size_t n, unsigned char *page, const unsigned char *from);

/* n bits. */
struct bitmap {
  uint64_t *at;
  size_t n;
};
/* All 0; *b is replaced, and owned by the caller, who frees b->at. */
void bitmap_init(struct bitmap *b, size_t n);
void bitmap_set(struct bitmap *b, size_t i, bool value);
bool bitmap_get(const struct bitmap *b, size_t i);
/* The first 1 from i on, or b->n. */
size_t bitmap_next(const struct bitmap *b, size_t i);

struct bytes {
  unsigned char *at;
  size_t n, cap;
};
void put_bytes(struct bytes *b, const void *data, size_t n);
void put_uleb(struct bytes *b, uint64_t n);
/* The number at *at, which is moved behind it; false when it does not end before end. */
bool get_uleb(const unsigned char **at, const unsigned char *end, uint64_t *n);

/* Copies to memory that is all zero, and leaves pages alone that shall be zero. */
void copy_sparse(unsigned char *to, const unsigned char *from, size_t n);

/* How a machine has its pointers: so many bytes, in this machine's order or the other one. */
struct form {
  unsigned word;
  bool swapped;
};

static inline bool is_big(struct form form)
{
  return form.swapped != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

/* Words of processes of this machine, and of what libelf has converted. */
static inline struct form native(unsigned word)
{
  return (struct form){word, false};
}

/* A pointer at any address. */
static inline uint64_t get_word(const void *p, struct form form)
{
  uint32_t half;
  uint64_t whole;
  if (form.word == sizeof half)
    return memcpy(&half, p, sizeof half), form.swapped ? __builtin_bswap32(half) : half;
  return memcpy(&whole, p, sizeof whole), form.swapped ? __builtin_bswap64(whole) : whole;
}

static inline void put_word(void *p, struct form form, uint64_t value)
{
  uint32_t half = (uint32_t)value;
  if (form.swapped) {
    half = __builtin_bswap32(half);
    value = __builtin_bswap64(value);
  }
  if (form.word == sizeof half)
    memcpy(p, &half, sizeof half);
  else
    memcpy(p, &value, sizeof value);
}

/* Whether an import only says what has to hold at load, and has no words. */
bool is_condition(enum urf_import_kind kind);
/* The value of a word of so many bytes, rotated to the left by less than its bits. */
uint64_t rotate_left(uint64_t value, unsigned word, unsigned by);

#endif
