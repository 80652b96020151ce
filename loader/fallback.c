/* The library as it was linked, where its frozen state cannot be used: the initialised data is had back
 * with the help of the table, everything else is emptied, and constructors and init run as in a library
 * that was not frozen.  What the dynamic linker has written into the region stays, and so does what the
 * loader has relocated, when it was an address before init ran. */

#include <string.h>
#include <sys/mman.h>

#include "loader.h"
#include "machine.h"

#define NOTE (&__urf_note)

/* Whole pages are given back; bss and heap have no words of the dynamic linker's. */
static void empty(uintptr_t from, uintptr_t to)
{
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  const uintptr_t page = URF_LARGEST_PAGE;
  const uintptr_t lo = (from + page - 1) & -page, hi = to & -page;
  if (lo >= hi || machine_syscall6(URF_SYS_MMAP, (long)lo, (long)(hi - lo), PROT_READ | PROT_WRITE,
                                   flags, -1, 0) != (long)lo) {
    memset((void *)from, 0, to - from);
    return;
  }
  memset((void *)from, 0, lo - from);
  memset((void *)hi, 0, to - hi);
}

/* Words that all had one value. */
static uintptr_t write_common(const struct image *image, uintptr_t at, const struct urf_common *c)
{
  for (uint64_t i = 0; i < c->n; i++, at += sizeof at) {
    must_hold(image, at, "common");
    ((struct word *)at)->value = (uintptr_t)c->value;
  }
  return at;
}

/* One word, of which some bytes change. */
COLD static uintptr_t write_rare(const struct image *image, uintptr_t at,
                                 const unsigned char **list, const unsigned char *end)
{
  must_hold(image, at, "words");
  if (*list >= end)
    damaged("words");
  for (unsigned bits = *(*list)++; bits; bits &= bits - 1) {
    if (*list >= end || bits >> sizeof at)
      damaged("words");
    ((unsigned char *)at)[__builtin_ctz(bits)] = *(*list)++;
  }
  return at + sizeof at;
}

/* Part of the word list, from that word on; the word behind the last. */
COLD static uintptr_t change_words(const struct image *image, const struct urf_origin *o,
                                   uintptr_t at, const unsigned char *list,
                                   const unsigned char *end, int again)
{
  const unsigned char *first = (const unsigned char *)image->table + o->words;
  const struct urf_common *common = (const void *)(image->table + o->common);
  while (list < end) {
    const unsigned char *from = list;
    const unsigned which = *list >> URF_SHIFT;
    uintptr_t gap = *list++ & URF_FAR;
    if (gap == URF_FAR)
      gap += get_uleb(&list);
    at += gap * sizeof at;
    if (which == URF_RARE)
      at = write_rare(image, at, &list, end);
    else if (which < o->n_common)
      at = write_common(image, at, &common[which]);
    else {
      const uintptr_t back = get_uleb(&list);
      if (which != URF_AGAIN || again || list >= end || back > (uintptr_t)(from - first))
        damaged("words");
      const uintptr_t size = get_uleb(&list);
      if (size > back)
        damaged("words");
      at = change_words(image, o, at, from - back, from - back + size, 1);
    }
  }
  return at;
}

/* What the freeze has not changed is there: the pointers among it are relocated already. */
static void restore_data(const struct image *image, const struct urf_origin *o)
{
  const unsigned char *list = (const unsigned char *)image->table + o->words;
  (void)change_words(image, o, image->region, list, list + o->words_size - 1, 0);
}

static void copy_shadows(const struct image *image, const struct urf_fallback *f)
{
  const unsigned char *list = (const unsigned char *)image->table + f->sites;
  const unsigned char *end = list + f->sites_size;
  const uintptr_t *shadow = (const void *)(image->table + f->shadows);
  uintptr_t at = image->region;
  for (uint64_t i = 0; list < end && i < f->n_shadows; i++) {
    at += get_uleb(&list);
    must_hold(image, at, "shadows");
    ((struct word *)at)->value = shadow[i];
  }
}

static void call(const struct image *image, const struct urf_call *c, const struct arguments *a)
{
  const uintptr_t f = (uintptr_t)c->address + image->bias;
  if (c->kind == URF_CALL_CONSTRUCTOR)
    ((void (*)(int, char **, char **))f)(a->argc, a->argv, a->envp);
  else if (c->kind == URF_CALL_VOID)
    ((void (*)(void))f)();
  else if (((int (*)(void))f)())
    thaw_fail("its frozen state cannot be used here, and its init failed", "");
}

void urf_fallback(const struct image *image, const struct arguments *a)
{
  const struct urf_fallback *f = (const void *)(image->table + NOTE->fallback);
  const struct urf_origin *o = (const void *)(image->table + NOTE->origin);
  const struct urf_call *c = (const void *)(image->table + f->calls);
  empty((uintptr_t)NOTE->bss + image->bias, image->region_end);
  restore_data(image, o);
  relocate_list(image, "relative", o->relative, o->relative_size, 0);
  copy_shadows(image, f);
  fell_back(image);
  for (uint64_t i = 0; i < f->n_calls; i++)
    call(image, &c[i], a);
}
