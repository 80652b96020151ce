/* The loader's constructor, the first of the library, in two lives.
 *
 * In a library that is not frozen it looks for a capture host; where there is none it does nothing.
 * In a frozen one it turns the file's image into that of an initialised library:
 *
 *   entry     The dynamic linker has applied its relocations.  The region still holds link-time
 *             addresses: no pointer in it may be followed, so nothing but this file's own code runs;
 *             the note and the table are reached relative to the code.
 *   relocate  The bias is added to every pointer.  No call, no allocation, no other write.
 *   import    Symbols of other modules are looked up (dlsym) and stored.  libc may be called, but no
 *             code of the library: its imports are not complete yet.
 *   replay    What init told libc (atexit) is told again.  The image is whole from here on. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader.h"
#include "machine.h"
#include "urf.h"

#define S (&__urf_state)
#define NOTE (&__urf_note)

/* A pointer at any address. */
struct word {
  uintptr_t value;
} __attribute__((packed, may_alias));

extern void *dlvsym_or_null(void *, const char *, const char *) __asm__("dlvsym")
    __attribute__((weak)); /* musl has no versions */

static void say(const char *s)
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

static const char *own_name(void)
{
  Dl_info info;
  return dladdr((const void *)(uintptr_t)NOTE, &info) && info.dli_fname ? info.dli_fname
                                                                         : "urf library";
}

/* A constructor cannot make dlopen return NULL, and half a library must not be left to run. */
void thaw_fail(const char *what, const char *which)
{
  char line[1024];
  const char *part[] = {"urf: ", own_name(), ": ", what, " ", which, "\n"};
  size_t n = 0;
  for (size_t i = 0; i < sizeof part / sizeof part[0]; i++)
    for (const char *s = part[i]; *s && n < sizeof line - 2; s++)
      line[n++] = *s;
  line[n - 1] = '\n';
  line[n] = 0;
  say(line);
  _exit(127);
}

static uintptr_t get_uleb(const unsigned char **at)
{
  uintptr_t n = 0;
  unsigned shift = 0;
  while (**at & 0x80) {
    n |= (uintptr_t)(*(*at)++ & 0x7f) << shift;
    shift += 7;
  }
  return n | (uintptr_t) * (*at)++ << shift;
}

/* RELR (gABI): an even word is the address of a pointer; an odd one is a bitmap of the words that
 * follow the last one covered. */
static void relocate_words(const uintptr_t *relr, const uintptr_t *end, uintptr_t bias)
{
  uintptr_t *where = 0;
  for (; relr < end; relr++) {
    if (!(*relr & 1)) {
      where = (uintptr_t *)(*relr + bias);
      *where++ += bias;
      continue;
    }
    uintptr_t *word = where;
    for (uintptr_t bits = *relr; bits >>= 1; word++)
      if (bits & 1)
        *word += bias;
    where += 8 * sizeof *where - 1;
  }
}

static void relocate_odd(const unsigned char *list, const unsigned char *end, uintptr_t at,
                         uintptr_t bias)
{
  while (list < end) {
    at += get_uleb(&list);
    ((struct word *)at)->value += bias;
  }
}

static void *look_in_module(const char *module, const char *name)
{
  void *handle = dlopen(module, RTLD_LAZY | RTLD_NOLOAD);
  void *p = handle ? dlsym(handle, name) : 0;
  if (handle)
    dlclose(handle);
  return p;
}

/* As the dynamic linker would bind it: in the process, then (musl's RTLD_DEFAULT does not see a
 * library's own dependencies) in the module that had it when the library was frozen. */
static uintptr_t look_up(const char *table, const struct urf_import *import)
{
  const char *name = table + import->name, *version = table + import->version;
  (void)dlerror();
  void *p = 0;
  if (*version && dlvsym_or_null)
    p = dlvsym_or_null(RTLD_DEFAULT, name, version);
  if (!p)
    p = dlsym(RTLD_DEFAULT, name);
  if (!p)
    p = look_in_module(table + import->module, name);
  if (!p)
    thaw_fail("cannot be used here: no module of this process has the symbol", name);
  (void)dlerror();
  return import->kind == URF_IMPORT_VALUE ? *(uintptr_t *)p : (uintptr_t)p;
}

static void bind(const char *table, const struct urf_import *import, uintptr_t region)
{
  uintptr_t value = look_up(table, import) + (uintptr_t)import->addend;
  const unsigned char *at = (const unsigned char *)table + import->sites;
  const unsigned char *end = at + import->sites_size;
  while (at < end) {
    region += get_uleb(&at);
    ((struct word *)region)->value = value;
  }
}

static int inside(uint64_t offset, uint64_t size, uint64_t whole)
{
  return offset <= whole && size <= whole - offset;
}

/* Nothing has been written yet when this fails. */
static void check(uintptr_t bias)
{
  uint64_t size = NOTE->table_size;
  if (NOTE->format != URF_FORMAT)
    thaw_fail("was frozen by a turf of another format; freeze it again with this", "liburf.a");
  if (NOTE->machine != URF_MACHINE || NOTE->state_size != sizeof(struct state) ||
      !inside(NOTE->relr, NOTE->relr_size, size) || !inside(NOTE->odd, NOTE->odd_size, size) ||
      !inside(NOTE->imports, NOTE->n_imports * sizeof(struct urf_import), size))
    thaw_fail("is damaged:", ".note.urf");
  if (bias & (NOTE->align - 1))
    thaw_fail("needs a load address of a larger alignment than the dynamic linker gave it", "");
}

static void count(const char *what, uint64_t n)
{
  char digits[24], *p = digits + sizeof digits - 1;
  *p = 0;
  do
    *--p = (char)('0' + n % 10);
  while (n /= 10);
  say(what);
  say(p);
}

static void report(uintptr_t bias)
{
  const char *debug = secure_getenv("URF_DEBUG");
  if (!debug || strcmp(debug, "1") != 0)
    return;
  say("urf: ");
  say(own_name());
  count(": frozen; bias is a multiple of 4096: ", bias / 4096);
  count("; pointers relocated: ", bias ? NOTE->n_pointers + NOTE->n_odd : 0);
  count("; imports bound: ", NOTE->n_import_sites);
  say("\n");
}

static void thaw(uintptr_t bias)
{
  check(bias);
  const char *table = (const char *)(uintptr_t)NOTE->table + bias;
  uintptr_t region = (uintptr_t)NOTE->data + bias;
  if (bias) {
    const char *relr = table + NOTE->relr, *odd = table + NOTE->odd;
    relocate_words((const uintptr_t *)(const void *)relr,
                   (const uintptr_t *)(const void *)(relr + NOTE->relr_size), bias);
    relocate_odd((const unsigned char *)odd, (const unsigned char *)odd + NOTE->odd_size, region,
                 bias);
  }
  S->owned = (uintptr_t)NOTE->heap + bias;
  S->owned_size = (uintptr_t)(NOTE->heap_end - NOTE->heap);
  const struct urf_import *import = (const void *)(table + NOTE->imports);
  for (uint64_t i = 0; i < NOTE->n_imports; i++)
    bind(table, &import[i], region);
  exit_replay();
  report(bias);
}

/* The end of a capture: everything that is not the library's own state is cleared. */
static void seal(void)
{
  struct urf_host *host = S->capture;
  exit_seal();
  heap_seal(&S->heap, host->block);
  host->top = S->heap.top;
  host->missing = S->heap.missing;
  host->align = S->heap.align;
  memset(S, 0, sizeof *S);
}

static void join_capture(uintptr_t bias)
{
  struct urf_host *host = dlsym(RTLD_DEFAULT, URF_HOST_SYMBOL);
  (void)dlerror();
  if (!host || host->version != URF_HOST_VERSION || host->seal)
    return;
  heap_init(&S->heap, (uintptr_t)NOTE->heap + bias, (uintptr_t)NOTE->heap_reserve);
  S->owned = S->heap.start;
  host->seal = seal;
  S->capture = host;
}

HIDDEN void start(void) __asm__("urf_start");

void start(void)
{
  uintptr_t bias = (uintptr_t)NOTE - (uintptr_t)NOTE->self;
  if (!(NOTE->flags & URF_FROZEN))
    join_capture(bias);
  else if (!S->owned)
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
