/* The library as it was linked, where its frozen state cannot be used: the initialised data is had back
 * from the table, everything else is emptied, and constructors and init run as in a library that was
 * not frozen.  What the dynamic linker has written into the region stays. */

#include <string.h>
#include <sys/mman.h>

#include "loader.h"

#define NOTE (&__urf_note)

/* Whole pages are given back; bss and heap have no words of the dynamic linker's. */
static void empty(uintptr_t from, uintptr_t to)
{
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  const uintptr_t lo = page_up(from), hi = to & ~(uintptr_t)(HEAP_PAGE - 1);
  if (lo >= hi ||
      HOST(mmap)((void *)lo, hi - lo, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) {
    memset((void *)from, 0, to - from);
    return;
  }
  memset((void *)from, 0, lo - from);
  memset((void *)hi, 0, to - hi);
}

/* What init has not changed is still there. */
static void restore_data(const struct image *image)
{
  const uint64_t size = NOTE->bss - NOTE->data;
  const char *at = image->table + NOTE->origin, *end = at + NOTE->origin_size;
  while ((size_t)(end - at) >= sizeof(struct urf_origin)) {
    const struct urf_origin *piece = (const void *)at;
    at += sizeof *piece;
    if (piece->size > (size_t)(end - at))
      damaged("origin");
    const uint64_t offset = piece->address - NOTE->data;
    if (offset < size && piece->size <= size - offset)
      memcpy((void *)(image->region + offset), at, piece->size);
    at += (piece->size + 7) & ~(uint64_t)7;
  }
}

static void restore_addresses(const struct image *image, const struct urf_fallback *f)
{
  const unsigned char *list = (const unsigned char *)image->table + f->relative;
  const unsigned char *end = list + f->relative_size;
  uintptr_t at = image->region;
  while (list < end) {
    at += get_uleb(&list);
    must_hold(image, at, "relative");
    if (list == end)
      damaged("relative");
    ((struct word *)at)->value = get_uleb(&list) + image->bias;
  }
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

void fall_back(const struct image *image, const struct arguments *a)
{
  const struct urf_fallback *f = (const void *)(image->table + NOTE->fallback);
  const struct urf_call *c = (const void *)(image->table + f->calls);
  copies_hold(image);
  empty((uintptr_t)NOTE->bss + image->bias, image->region_end);
  restore_data(image);
  restore_addresses(image, f);
  copy_shadows(image, f);
  __urf_state.fell_back = 1;
  host_prepare();
  for (uint64_t i = 0; i < f->n_calls; i++)
    call(image, &c[i], a);
}
