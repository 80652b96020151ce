/* The loader's constructor, the first of the library, in two lives.
 *
 * In a library that is not frozen it looks for a capture host; where there is none it does nothing.
 * In a frozen one it turns the file's image into that of an initialised library:
 *
 *   entry     The dynamic linker has applied its relocations.  The region still holds link-time
 *             addresses: no pointer in it may be followed, so no code of the library runs but the
 *             loader's; the note and the table are reached relative to it, and are checked.
 *   relocate  The bias is added to every pointer, by relocate.c.  No call, no allocation but from the
 *             kernel, no other write.
 *   import    Symbols of other modules are looked up (dlsym), then stored.  libc may be called, but
 *             no code of the library: its imports are not complete yet.
 *   protect   Pages that init made read-only or inaccessible become so again.
 *   replay    What init told libc (atexit, pthread_atfork, keys, signals) is told again, and thread-local
 *             variables are set.  The image is whole from here on, and the user's hooks run.
 *
 * Before any import is stored, it may turn out that the frozen state cannot be used in this process.  Then
 * fallback.c takes over. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "hooks.h"
#include "loader.h"
#include "machine.h"
#include "urf.h"

#define S (&__urf_state)
#define NOTE (&__urf_note)

extern HIDDEN const ElfW(Ehdr) __ehdr_start; /* defined by the linker */

static void protect(const struct image *image, const struct urf_protection *p)
{
  if (mprotect((void *)((uintptr_t)p->address + image->bias), p->size, (int)p->prot))
    thaw_fail("cannot protect its pages:", strerror(errno));
}

/* The capture host, when this is the library that it has loaded for turf; else NULL. */
static struct urf_host *find_host(void)
{
  void *slot = 0;
  struct urf_host *host = host_find(&slot, URF_HOST_SYMBOL);
  return host && host->version == URF_HOST_VERSION &&
                 (!host->library || strcmp(host->library, own_name()) == 0)
             ? host
             : 0;
}

/* turf wants to know; and where there is no way back nobody shall go on with half a library. */
static void give_up(const struct image *image, const struct reason *why, const struct arguments *a)
{
  const struct urf_host *host = find_host();
  if (!NOTE->fallback || (host && !host->fall_back))
    thaw_fail(why->what, why->which);
  if (tells()) {
    say(": its frozen state cannot be used here, so init is run: ");
    say(why->what);
    say(*why->which ? " " : "");
    say(why->which);
    say("\n");
  }
  copies_hold(image);
  urf_fallback(image, a);
}

void fell_back(const struct image *image)
{
  (void)image;
  S->fell_back = 1;
  host_prepare();
}

/* Whether the frozen state is right at this address. */
static int fits(const struct image *image, struct reason *why, char digits[24])
{
  if (NOTE->flags & URF_FIXED && image->bias)
    because(why, "it was loaded at another address than it was linked and frozen for", "");
  else if (image->bias & (NOTE->align - 1))
    because(why, "it was loaded at an address that differs from the linked one by no multiple of",
            decimal(digits, NOTE->align));
  else
    cpu_holds(NOTE->cpu, 0, why);
  return !why->what;
}

void image_of(struct image *image)
{
  const uintptr_t bias = (uintptr_t)NOTE - (uintptr_t)NOTE->self;
  image->bias = bias;
  image->region = (uintptr_t)NOTE->data + bias;
  image->region_end = (uintptr_t)NOTE->heap_end + bias;
  image->table = (const char *)(uintptr_t)NOTE->table + bias;
}

static void thaw(const struct arguments *a)
{
  const uint64_t started = stats_clock(CLOCK_MONOTONIC);
  char digits[24];
  struct reason why = {0};
  struct image image;
  image_of(&image);
  check(&image);
  const int usable = fits(&image, &why, digits);
  const unsigned copied = relocate(&image);
  if (!usable) {
    give_up(&image, &why, a);
    return;
  }
  S->owned = (uintptr_t)NOTE->heap + image.bias;
  S->owned_size = (uintptr_t)(NOTE->heap_end - NOTE->heap);
  host_prepare();
  struct urf_host *host = find_host();
  cpu_holds(NOTE->cpu, 1, &why);
  pages_hold(NOTE->flags, &why);
  if (host && host->fall_back)
    why.what = "turf looks at what happens then";
  if (why.what || !imports_hold(&image, &why)) {
    give_up(&image, &why, a);
    return;
  }
  imports_bind(&image);
  const struct urf_protection *p = (const void *)(image.table + NOTE->protections);
  for (uint64_t i = 0; i < NOTE->n_protections; i++)
    protect(&image, &p[i]);
  tls_replay();
  replay();
  keys_replay();
  signals_replay();
  S->nanoseconds = stats_clock(CLOCK_MONOTONIC) - started;
  S->copied = copied;
  stats_report();
  if (host)
    host->thaw = on_thaw;
  else
    on_thaw();
}

/* The end of a capture: everything that is not the library's own state is cleared. */
static void seal(void)
{
  struct urf_host *host = S->capture;
  on_freeze();
  signals_seal();
  tls_seal();
  keys_seal();
  replay_seal();
  heap_seal(&S->heap, host->block);
  host->top = S->heap.top;
  host->missing = heap_missing(&S->heap);
  host->strayed = S->heap.strayed;
  host->strayed_at = S->heap.strayed_at;
  host->align = S->heap.align;
  cpu_features(host->cpu);
  memset(S, 0, sizeof *S);
}

static void join_capture(uintptr_t bias)
{
  struct urf_host *host = find_host();
  if (!host || host->seal || !NOTE->self) /* turf has not seen it, see plain.c */
    return;
  heap_init(&S->heap, (uintptr_t)NOTE->heap + bias, (uintptr_t)NOTE->heap_reserve);
  memset(&S->direct, 0, sizeof S->direct);
  S->owned = S->heap.origin;
  if (host->layout)
    heap_lay_out(&S->heap, host->layout);
  host->seal = seal;
  if (has_hooks())
    host->thaw = on_thaw;
  if (host->joined)
    host->joined(&__ehdr_start, (const char *)(uintptr_t)NOTE->transient + bias);
  S->capture = host;
  S->thread = (uintptr_t)HOST(pthread_self)();
}

HIDDEN void start(int argc, char **argv, char **envp) __asm__("urf_start");

/* Their arguments are glibc's to constructors, not musl's, and of no use but to other constructors. */
void start(int argc, char **argv, char **envp)
{
  const struct arguments a = {argc, argv, envp};
  uintptr_t bias = (uintptr_t)NOTE - (uintptr_t)NOTE->self;
  if (!(NOTE->flags & URF_FROZEN)) {
    host_prepare();
    join_capture(bias);
  } else if (!S->owned && !S->fell_back)
    thaw(&a);
}

int urf_frozen(void)
{
  return NOTE->flags & URF_FROZEN && !S->fell_back;
}

int urf_initialised(void)
{
  return NOTE->flags & URF_FROZEN ? 1 : 0;
}
