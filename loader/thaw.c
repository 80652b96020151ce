/* The loader's constructor, the first of the library, in two lives.
 *
 * In a library that is not frozen it looks for a capture host; where there is none it does nothing.
 * In a frozen one it turns the file's image into that of an initialised library:
 *
 *   entry     The dynamic linker has applied its relocations.  The region still holds link-time
 *             addresses: no pointer in it may be followed, so no code of the library runs but this
 *             file's; the note and the table are reached relative to it, and are checked.
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

extern HIDDEN const ElfW(Ehdr) __ehdr_start; /* defined by the linker */
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

/* The image as it was loaded; run-time addresses. */
struct image {
  uintptr_t bias, region, region_end;
  const char *table;
};

static _Noreturn void damaged(const char *where)
{
  thaw_fail("is damaged:", where);
}

/* Numbers cannot run past the end of their list: check has seen that the last one ends there. */
static uintptr_t get_uleb(const unsigned char **at)
{
  uintptr_t n = 0;
  unsigned shift = 0;
  while (**at & 0x80) {
    n |= (uintptr_t)(*(*at)++ & 0x7f) << shift % 64;
    shift += 7;
  }
  return n | (uintptr_t) * (*at)++ << shift % 64;
}

static void must_hold(const struct image *image, uintptr_t at, const char *list)
{
  if (__builtin_expect(at - image->region > image->region_end - image->region - sizeof(uintptr_t),
                       0))
    damaged(list);
}

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

static void *look_in_module(const char *module, const char *name, const char *version)
{
  void *handle = dlopen(module, RTLD_LAZY | RTLD_NOLOAD), *p = 0;
  if (handle && *version && dlvsym_or_null)
    p = dlvsym_or_null(handle, name, version);
  if (handle && !p)
    p = dlsym(handle, name);
  if (handle)
    dlclose(handle);
  return p;
}

static int in_one_module(const void *a, const void *b)
{
  Dl_info in_a, in_b;
  return dladdr(a, &in_a) && dladdr(b, &in_b) && in_a.dli_fbase == in_b.dli_fbase;
}

/* What a reference of the library's own would be bound to.  A definition without a version satisfies
 * one that names a version, but dlvsym passes it over: where the two differ nothing tells. */
static void *look_in_process(const char *name, const char *version)
{
  void *p = dlsym(RTLD_DEFAULT, name), *q = p;
  if (p && *version && dlvsym_or_null)
    q = dlvsym_or_null(RTLD_DEFAULT, name, version);
  if (p && q && p != q && !in_one_module(p, q))
    thaw_fail("cannot be used here: another module of this process has", name);
  return q ? q : p;
}

/* The dynamic linker has bound references of the library to what has a slot.  Else by name: in the
 * process, then (musl's RTLD_DEFAULT does not see a library's own dependencies) in the module that had
 * it when the library was frozen.  What the library does not refer to itself, a pointer handed out by
 * that module, may mean either. */
static uintptr_t look_up(const struct image *image, const struct urf_import *import)
{
  const char *name = image->table + import->name, *version = image->table + import->version;
  const char *module = image->table + import->module;
  const int held = import->kind == URF_IMPORT_VALUE || import->kind == URF_IMPORT_SAME_VALUE;
  void *p = 0, *q = 0;
  if (import->slot) {
    p = *(void **)(import->slot + image->bias);
  } else {
    p = look_in_process(name, version);
    if (*module && (!p || import->kind == URF_IMPORT_MODULE))
      q = look_in_module(module, name, version);
  }
  if (p && q && p != q)
    thaw_fail("cannot be used here: another module of this process has", name);
  p = p ? p : q;
  if (!p)
    thaw_fail("cannot be used here: no module of this process has the symbol", name);
  (void)dlerror();
  return held ? *(uintptr_t *)p : (uintptr_t)p;
}

/* Where the library's own symbol is to this process: perhaps in another module. */
static uintptr_t look_for_own(const struct image *image, const struct urf_import *import)
{
  if (import->slot)
    return *(uintptr_t *)(import->slot + image->bias);
  void *p = dlsym(RTLD_DEFAULT, image->table + import->name);
  (void)dlerror();
  return p ? (uintptr_t)p : (uintptr_t)import->addend + image->bias;
}

/* The frozen pointers to the library's own symbol would be wrong when another module's takes its
 * place (a preloaded one, a program's copy of a variable). */
static void must_be_own(const struct image *image, const struct urf_import *import)
{
  if (look_for_own(image, import) != (uintptr_t)import->addend + image->bias)
    thaw_fail("cannot be used here: another module of this process has its symbol",
              image->table + import->name);
}

static void store(const struct image *image, const struct urf_import *import, uintptr_t value,
                  int moves)
{
  const unsigned char *list = (const unsigned char *)image->table + import->sites;
  const unsigned char *end = list + import->sites_size;
  uintptr_t at = image->region;
  while (list < end) {
    at += get_uleb(&list);
    must_hold(image, at, "imports");
    struct word *word = (void *)at;
    word->value = moves ? word->value + value : value;
  }
}

/* One import is stored before the next is looked up: when one is not to be had the process ends,
 * and nobody sees the half that was done.  Returns what it found. */
static uintptr_t bind(const struct image *image, const struct urf_import *import, uintptr_t before)
{
  const uintptr_t addend = (uintptr_t)import->addend;
  if (import->kind == URF_IMPORT_OWN) {
    must_be_own(image, import);
    return 0;
  }
  if (import->kind == URF_IMPORT_THREAD) {
    store(image, import, (uintptr_t)HOST(pthread_self)(), 0);
    return 0;
  }
  if (import->kind == URF_IMPORT_TLS) {
    store(image, import, (uintptr_t)tls_block() + addend, 0);
    return 0;
  }
  if (import->kind == URF_IMPORT_FOLLOW) {
    const uintptr_t own = look_for_own(image, import), by = own - addend;
    if (!own)
      damaged("slots");
    if (by)
      store(image, import, by, 1);
    return 0;
  }
  const uintptr_t found = look_up(image, import);
  if (import->kind == URF_IMPORT_SAME || import->kind == URF_IMPORT_SAME_VALUE) {
    if (found + addend != before)
      thaw_fail("cannot be used here: was frozen where this was the same as another symbol:",
                image->table + import->name);
    return before;
  }
  store(image, import, found + addend, 0);
  return found;
}

static void protect(const struct image *image, const struct urf_protection *p)
{
  if (mprotect((void *)((uintptr_t)p->address + image->bias), p->size, (int)p->prot))
    thaw_fail("cannot protect its pages:", strerror(errno));
}

static int inside(uint64_t offset, uint64_t size, uint64_t whole)
{
  return offset <= whole && size <= whole - offset;
}

/* An array of n elements in the table. */
static int array_inside(uint64_t offset, uint64_t n, size_t size)
{
  return offset % 8 == 0 && n <= NOTE->table_size / size &&
         inside(offset, n * size, NOTE->table_size);
}

static int list_inside(const char *table, uint64_t offset, uint64_t size)
{
  return inside(offset, size, NOTE->table_size) && (!size || !(table[offset + size - 1] & 0x80));
}

static int text_inside(const char *table, uint64_t offset)
{
  while (offset < NOTE->table_size && table[offset])
    offset++;
  return offset < NOTE->table_size;
}

/* In the image, in front of the region. */
static int slot_inside(const struct image *image, uint64_t slot)
{
  const uint64_t first = (uintptr_t)&__ehdr_start - image->bias;
  return slot % sizeof(uintptr_t) == 0 &&
         inside(slot - first, sizeof(uintptr_t), NOTE->data - first);
}

/* End of what the file holds of the writable segment with the region, by the library's own headers;
 * they are at the start of its first segment. */
static uintptr_t mapped_end(const struct image *image)
{
  const uintptr_t start = (uintptr_t)&__ehdr_start;
  const ElfW(Phdr) *ph = (const void *)(start + __ehdr_start.e_phoff);
  const ElfW(Phdr) *end = ph + __ehdr_start.e_phnum;
  while (ph < end && ph->p_type != PT_LOAD)
    ph++;
  for (const uintptr_t first = ph->p_vaddr; ph < end; ph++)
    if (ph->p_type == PT_LOAD && ph->p_flags & PF_W &&
        image->region - (start + ph->p_vaddr - first) < ph->p_filesz)
      return start + ph->p_vaddr - first + ph->p_filesz;
  return image->region;
}

static void check_note(const struct image *image)
{
  const uint64_t bias = image->bias;
  if (NOTE->format != URF_FORMAT)
    thaw_fail("was frozen by a turf of another format; freeze it again with this", "liburf.a");
  if (NOTE->machine != URF_MACHINE)
    thaw_fail("was frozen for another machine", "");
  if (NOTE->state_size != sizeof(struct state) || NOTE->state + bias != (uintptr_t)S ||
      NOTE->data > NOTE->heap ||
      !inside(NOTE->state - NOTE->data, sizeof(struct state), NOTE->heap - NOTE->data) ||
      NOTE->heap > NOTE->heap_end || NOTE->heap_end > NOTE->table || NOTE->table % 8 ||
      !NOTE->align || NOTE->align & (NOTE->align - 1))
    damaged(".note.urf");
  if (!inside(NOTE->table + bias - image->region, NOTE->table_size,
              mapped_end(image) - image->region))
    damaged(".urf.table is not in the file");
}

static void check_table(const struct image *image)
{
  const char *table = image->table;
  if (!array_inside(NOTE->relr, NOTE->relr_size / sizeof(uintptr_t), sizeof(uintptr_t)) ||
      (NOTE->relr_size && *(const uintptr_t *)(const void *)(table + NOTE->relr) & 1) ||
      !list_inside(table, NOTE->odd, NOTE->odd_size) ||
      !list_inside(table, NOTE->rotated, NOTE->rotated_size) ||
      !array_inside(NOTE->imports, NOTE->n_imports, sizeof(struct urf_import)) ||
      !array_inside(NOTE->protections, NOTE->n_protections, sizeof(struct urf_protection)))
    damaged(".urf.table");
  const struct urf_import *import = (const void *)(table + NOTE->imports);
  for (uint64_t i = 0; i < NOTE->n_imports; i++, import++)
    if (!text_inside(table, import->name) || !text_inside(table, import->version) ||
        !text_inside(table, import->module) || import->kind >= URF_IMPORT_KINDS ||
        (import->slot && !slot_inside(image, import->slot)) ||
        !list_inside(table, import->sites, import->sites_size))
      damaged("imports");
  const struct urf_protection *p = (const void *)(table + NOTE->protections);
  for (uint64_t i = 0; i < NOTE->n_protections; i++, p++)
    if (p->address < NOTE->data ||
        !inside(p->address - NOTE->data, p->size, NOTE->heap_end - NOTE->data) || p->prot > 7)
      damaged("protections");
}

/* Decimal, at the end of a buffer of 24 bytes. */
static const char *decimal(char *buf, uint64_t n)
{
  char *p = buf + 23;
  *p = 0;
  do
    *--p = (char)('0' + n % 10);
  while (n /= 10);
  return p;
}

/* Nothing has been written yet when this fails. */
static void check(const struct image *image)
{
  char digits[24];
  check_note(image);
  if (image->bias & (NOTE->align - 1))
    thaw_fail("was loaded at an address that differs from the linked one by no multiple of",
              decimal(digits, NOTE->align));
  check_table(image);
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
