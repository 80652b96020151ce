/* The loader's constructor, the first of the library, in two lives.
 *
 * In a library that is not frozen it looks for a capture host; where there is none it does nothing.
 * In a frozen one it turns the file's image into that of an initialised library:
 *
 *   entry     The dynamic linker has applied its relocations.  The region still holds link-time
 *             addresses: no pointer in it may be followed, so no code of the library runs but the
 *             loader's; the note and the table are reached relative to it, and are checked.
 *   relocate  The bias is added to every pointer.  No call, no allocation, no other write.
 *   import    Symbols of other modules are looked up (dlsym) and stored.  libc may be called, but
 *             no code of the library: its imports are not complete yet.
 *   protect   Pages that init made read-only or inaccessible become so again.
 *   replay    What init told libc (atexit, pthread_atfork, keys, signals) is told again, and thread-local
 *             variables are set.  The image is whole from here on, and the user's hooks run. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "loader.h"
#include "machine.h"
#include "urf.h"

#define S (&__urf_state)
#define NOTE (&__urf_note)

extern HIDDEN const ElfW(Ehdr) __ehdr_start; /* defined by the linker */

static uintptr_t rotate_left(uintptr_t n, unsigned by)
{
  const unsigned bits = 8 * sizeof n;
  return n << by % bits | n >> (bits - by % bits) % bits;
}

/* RELR (gABI): an even word is the address of a pointer; an odd one is a bitmap of the words that
 * follow the last one covered. */
static void relocate_words(const struct image *image)
{
  const uintptr_t *relr = (const void *)(image->table + NOTE->relr);
  const uintptr_t *end = (const void *)(image->table + NOTE->relr + NOTE->relr_size);
  const uintptr_t bias = image->bias;
  uintptr_t *where = 0;
  for (; relr < end; relr++) {
    if (!(*relr & 1)) {
      where = (uintptr_t *)(*relr + bias);
      must_hold(image, (uintptr_t)where, "relr");
      *where++ += bias;
      continue;
    }
    uintptr_t *word = where;
    must_hold(image, (uintptr_t)(word + (62 - __builtin_clzll(*relr | 2))), "relr");
    for (uintptr_t bits = *relr; bits >>= 1; word++)
      if (bits & 1)
        *word += bias;
    where += 8 * sizeof *where - 1;
  }
}

static void relocate_odd(const struct image *image)
{
  const unsigned char *list = (const unsigned char *)image->table + NOTE->odd;
  const unsigned char *end = list + NOTE->odd_size;
  uintptr_t at = image->region;
  while (list < end) {
    at += get_uleb(&list);
    must_hold(image, at, "odd");
    ((struct word *)at)->value += image->bias;
  }
}

/* A hash of an address, or a tagged one, that keeps all of its bits. */
static void relocate_rotated(const struct image *image)
{
  const unsigned char *list = (const unsigned char *)image->table + NOTE->rotated;
  const unsigned char *end = list + NOTE->rotated_size;
  uintptr_t at = image->region;
  while (list < end) {
    at += get_uleb(&list);
    must_hold(image, at, "rotated");
    if (list == end)
      damaged("rotated");
    const unsigned by = (unsigned)get_uleb(&list) % (8 * sizeof at);
    struct word *word = (void *)at;
    word->value = rotate_left(rotate_left(word->value, by) + image->bias, 8 * sizeof at - by);
  }
}

static void protect(const struct image *image, const struct urf_protection *p)
{
  if (mprotect((void *)((uintptr_t)p->address + image->bias), p->size, (int)p->prot))
    thaw_fail("cannot protect its pages:", strerror(errno));
}

static void count(const char *what, uint64_t n)
{
  char digits[24];
  say(what);
  say(decimal(digits, n));
}

static void report(uintptr_t bias)
{
  const char *debug = secure_getenv("URF_DEBUG");
  if (!debug || strcmp(debug, "1") != 0)
    return;
  say("urf: ");
  say(own_name());
  count(": frozen; bias is a multiple of 4096: ", bias / 4096);
  count("; pointers relocated: ", bias ? NOTE->n_pointers + NOTE->n_odd + NOTE->n_rotated : 0);
  count("; imports bound: ", NOTE->n_import_sites);
  say("\n");
}

/* The capture host, when this is the library that it has loaded for turf; else NULL. */
static struct urf_host *find_host(void)
{
  struct urf_host *host = dlsym(RTLD_DEFAULT, URF_HOST_SYMBOL);
  (void)dlerror();
  return host && host->version == URF_HOST_VERSION &&
                 (!host->library || strcmp(host->library, own_name()) == 0)
             ? host
             : 0;
}

typedef void (*hook)(void);
/* state.c: words before, between and behind the two arrays, see urf.ld */
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

static void thaw(uintptr_t bias)
{
  struct image image = {
      .bias = bias,
      .region = (uintptr_t)NOTE->data + bias,
      .region_end = (uintptr_t)NOTE->heap_end + bias,
      .table = (const char *)(uintptr_t)NOTE->table + bias,
  };
  check(&image);
  if (bias) {
    relocate_words(&image);
    relocate_odd(&image);
    relocate_rotated(&image);
  }
  S->owned = (uintptr_t)NOTE->heap + bias;
  S->owned_size = (uintptr_t)(NOTE->heap_end - NOTE->heap);
  host_prepare();
  const struct urf_import *import = (const void *)(image.table + NOTE->imports);
  uintptr_t found = 0;
  for (uint64_t i = 0; i < NOTE->n_imports; i++)
    found = bind(&image, &import[i], found);
  const struct urf_protection *p = (const void *)(image.table + NOTE->protections);
  for (uint64_t i = 0; i < NOTE->n_protections; i++)
    protect(&image, &p[i]);
  tls_replay();
  replay();
  keys_replay();
  signals_replay();
  report(bias);
  struct urf_host *host = has_hooks() ? find_host() : 0;
  if (host)
    host->thaw = on_thaw;
  else
    on_thaw();
}

/* The end of a capture: everything that is not the library's own state is cleared. */
static void seal(void)
{
  struct urf_host *host = S->capture;
  call_all(urf_hooks_0 + 1, urf_hooks_1);
  signals_seal();
  tls_seal();
  keys_seal();
  replay_seal();
  heap_seal(&S->heap, host->block);
  host->top = S->heap.top;
  host->missing = heap_missing(&S->heap);
  host->align = S->heap.align;
  memset(S, 0, sizeof *S);
}

static void join_capture(uintptr_t bias)
{
  struct urf_host *host = find_host();
  if (!host || host->seal)
    return;
  heap_init(&S->heap, (uintptr_t)NOTE->heap + bias, (uintptr_t)NOTE->heap_reserve);
  S->owned = S->heap.start;
  host->seal = seal;
  if (has_hooks())
    host->thaw = on_thaw;
  if (host->joined)
    host->joined(&__ehdr_start, (const char *)(uintptr_t)NOTE->transient + bias);
  S->capture = host;
  S->thread = (uintptr_t)HOST(pthread_self)();
}

HIDDEN void start(void) __asm__("urf_start");

void start(void)
{
  uintptr_t bias = (uintptr_t)NOTE - (uintptr_t)NOTE->self;
  if (!(NOTE->flags & URF_FROZEN)) {
    host_prepare();
    join_capture(bias);
  } else if (!S->owned)
    thaw(bias);
}

/* The first entry of .init_array: urf.ld puts this section before all others. */
__asm__(".section .urf.init_array,\"aw\",%init_array\n"
        ".balign " URF_WORD "\n"
        ".dc.a urf_start\n"
        ".previous\n");

int urf_frozen(void)
{
  return NOTE->flags & URF_FROZEN ? 1 : 0;
}
