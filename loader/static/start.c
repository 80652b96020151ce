/* The first constructor of a static program, and its last one.
 *
 * The C library has set itself up, and has relocated the program but for its region, if it is frozen.  The
 * region's pointers are link-time addresses until relocate has been here; free, which the C library may have
 * called by then, knows of none. */

#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hooks.h"
#include "machine.h"
#include "program.h"
#include "urf.h"

#define S (&program_state)
#define NOTE (&__urf_note)

/* Linux 5.14, include/uapi/asm-generic/mman-common.h; newer than some C libraries. */
enum { POPULATE_READ = 22 };

extern HIDDEN const ElfW(Ehdr) __ehdr_start; /* defined by the linker */

/* In nanoseconds, for relocate. */
uint64_t stats_clock(int clock)
{
  struct timespec t;
  (void)machine_syscall6(URF_SYS_CLOCK_GETTIME, clock, (long)&t, 0, 0, 0, 0);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* That turf and this loader are of one version, and that nothing has moved the program's parts; where the file was cut
 * off, reading would end the process with SIGBUS. */
void check(const struct image *image)
{
  const uintptr_t last = (uintptr_t)image->table + NOTE->table_size - 1;
  if (NOTE->format != URF_FORMAT || (uintptr_t)NOTE->state + image->bias != (uintptr_t)S ||
      machine_syscall6(URF_SYS_MADVISE, (long)(last & -(uintptr_t)HEAP_PAGE), HEAP_PAGE,
                       POPULATE_READ, 0, 0, 0) == -EFAULT)
    damaged("");
}

/* Why the frozen state cannot be used here; turf may want to see what happens then. */
static void look_for_reason(const struct image *image, struct reason *why)
{
  if (S->host && S->host->fall_back)
    why->what = "is not used";
  cpu_holds(NOTE->cpu, -1, why);
  pages_hold(NOTE->flags, why);
  if (image->bias & (NOTE->flags & URF_FIXED ? -1 : (intptr_t)NOTE->align - 1))
    why->what = "was loaded at an address that it is not frozen for";
}

static void protect(const struct image *image)
{
  const struct urf_protection *p = (const void *)(image->table + NOTE->protections);
  for (uint64_t i = 0; i < NOTE->n_protections; i++, p++)
    (void)machine_syscall6(URF_SYS_MPROTECT, (long)(p->address + image->bias), (long)p->size,
                           (long)p->prot, 0, 0, 0);
}

/* What init has told libc to call at exit: frozen, and told again at load; behind the last one there is one without a
 * function. */
static struct urf_exit *exits;

extern int __cxa_atexit(void (*fn)(void *), void *arg, void *dso) __attribute__((weak));

static void save_exits(const struct urf_host *host)
{
  const uintptr_t n = host->n_exits;
  if (n && (exits = calloc(n + 1, sizeof *exits)))
    memcpy(exits, host->exits, n * sizeof *exits);
}

/* What may change the region, which turf compares before. */
static void finish(void)
{
  for (const struct urf_exit *x = exits; x && x->fn; x++)
    if (__cxa_atexit(x->fn, x->arg, x->dso))
      thaw_fail("cannot register a function to be called at exit", "");
  on_thaw();
}

/* Members of their own in the archive, which a program has when it asks for them. */
extern __typeof__(urf_fallback) urf_fallback __attribute__((weak));
extern __typeof__(urf_tls) urf_tls __attribute__((weak));
extern __typeof__(urf_copy) urf_copy __attribute__((weak));

static void thaw(uintptr_t bias, const struct arguments *a)
{
  const uint64_t started = stats_clock(CLOCK_MONOTONIC);
  struct image image = {.bias = bias,
                        .region = (uintptr_t)NOTE->data + bias,
                        .region_end = (uintptr_t)NOTE->heap_end + bias,
                        .table = (const char *)(uintptr_t)NOTE->table + bias};
  check(&image);
  struct reason why = {0, ""};
  look_for_reason(&image, &why);
  (void)(urf_copy ? urf_copy : relocate)(&image);
  if (why.what) {
    if (!NOTE->fallback) /* nor is there without urf_fallback */
      thaw_fail(why.what, why.which);
    urf_fallback(&image, a);
    return;
  }
  if (urf_tls)
    urf_tls(&image);
  protect(&image);
  S->nanoseconds = stats_clock(CLOCK_MONOTONIC) - started;
  S->ready = 1;
  if (S->host)
    S->host->thaw = finish;
  else
    finish();
}

static void seal(void)
{
  on_freeze();
  save_exits(S->host);
  if (urf_tls)
    urf_tls(NULL);
  S->captures = 0;
  program_heap_seal(S->host);
  S->ready = 0;
  S->host = 0;
}

static void begin(uintptr_t bias)
{
  struct urf_host *host = S->host;
  program_heap((uintptr_t)NOTE->heap + bias, (uintptr_t)NOTE->heap_reserve);
  if (!host)
    return;
  cpu_features(host->cpu);
  host->seal = seal;
  host->at_exit = __cxa_atexit;
  host->error = &errno;
  if (has_hooks())
    host->thaw = finish;
  S->captures = 1;
  host->joined(&__ehdr_start, (const char *)(uintptr_t)NOTE->transient + bias);
}

HIDDEN void start(int argc, char **argv, char **envp) __asm__("urf_start");

/* Their arguments are glibc's to constructors, not musl's, and of no use but to other constructors. */
void start(int argc, char **argv, char **envp)
{
  const struct arguments a = {argc, argv, envp};
  const uintptr_t bias = (uintptr_t)NOTE - (uintptr_t)NOTE->self;
  if (S->ready) {
    if (S->host)
      S->host->loaded();
  } else if (NOTE->flags & URF_FROZEN)
    thaw(bias, &a);
  else
    begin(bias);
}

/* urf.ld puts them before and behind all others. */
#define ENTRY(section)                                                                             \
  ".section " section ",\"aw\",%init_array\n.balign " URF_WORD "\n.dc.a urf_start\n.previous\n"
__asm__(ENTRY(".urf.init_array") ENTRY(".urf.init_array.last"));

int urf_frozen(void)
{
  return NOTE->flags & URF_FROZEN && !S->fell_back;
}

int urf_initialised(void)
{
  return NOTE->flags & URF_FROZEN;
}
