/* What init changes in the memory of the other modules; part of the host program.
 *
 * A copy of all their variables is taken before the library's constructors run, and compared when
 * init is done.  Some changes cannot matter (the books of malloc, a buffer that is empty again):
 * which bytes those are is found by experiment, in a copy of the process that makes the calls which
 * cause them, see probes.c.  Whatever else has changed is told. */

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "host_machine.h"
#include "memory.h"

/* Bytes are compared in units; COPY_SECONDS is how long a copy of the process may run. */
enum { PAGE = 4096, UNIT = 4, AREAS = 2048, COPY_SECONDS = 20, GAP = 4 * UNIT, BOOKS = 16 * UNIT };
enum { BOUND = 255 }; /* instead of a probe: a word of the dynamic linker's, or replayed at load */

struct area {
  const char *path;     /* of its module */
  uintptr_t bias;       /* the module's */
  uintptr_t offset;     /* from the bias, or in the thread-local variables */
  const char *now;      /* NULL: the thread has none of them yet */
  const char *start;    /* of a thread-local block: its initial contents */
  size_t size, initial; /* initial: bytes at start */
  int tls;
  /* size bytes each: what it was before the constructors, and after a harmless probe, */
  char *before, *expected;
  unsigned char *known; /* per unit: 1 + index of the probe that changes it, or BOUND */
};

static struct area areas[AREAS];
static size_t n_areas, total;
static const char *own_image;
static int makes_copies;
static unsigned *next_probe; /* shared with the copies */

static size_t units(size_t size)
{
  return (size + UNIT - 1) / UNIT;
}

/* modules */

static void add_area(const struct dl_phdr_info *info, uintptr_t lo, uintptr_t hi)
{
  if (lo >= hi || n_areas == AREAS)
    return;
  areas[n_areas++] = (struct area){.path = info->dlpi_name,
                                   .bias = info->dlpi_addr,
                                   .offset = lo - info->dlpi_addr,
                                   .now = (const char *)lo,
                                   .size = hi - lo};
}

static int holds(const struct dl_phdr_info *info, const void *p)
{
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_LOAD &&
        (uintptr_t)p - info->dlpi_addr - info->dlpi_phdr[i].p_vaddr < info->dlpi_phdr[i].p_memsz)
      return 1;
  return 0;
}

/* Not the program itself, the library, and a dynamic linker that is not the C library as
 * well: what that keeps is about modules and threads, which are looked at by themselves. */
static int is_other(const struct dl_phdr_info *info)
{
  const void *linker = (const void *)getauxval(AT_BASE);
  return !holds(info, areas) && !holds(info, own_image) &&
         (!linker || !holds(info, linker) || holds(info, dlsym(RTLD_DEFAULT, "malloc")));
}

/* A writable segment, without the pages that the dynamic linker has protected. */
static void add_segment(const struct dl_phdr_info *info, const ElfW(Phdr) * ph)
{
  const uintptr_t lo = info->dlpi_addr + ph->p_vaddr, hi = lo + ph->p_memsz;
  uintptr_t from = hi, to = hi;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
      from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
      to = (from + info->dlpi_phdr[i].p_memsz) & ~(uintptr_t)(PAGE - 1);
      from &= ~(uintptr_t)(PAGE - 1);
    }
  if (to <= lo || from >= hi)
    from = to = hi;
  add_area(info, lo, from < hi ? from : hi);
  add_area(info, to, hi);
}

static void add_tls(const struct dl_phdr_info *info, const ElfW(Phdr) * ph)
{
  if (!ph->p_memsz || n_areas == AREAS)
    return;
  areas[n_areas++] =
      (struct area){.path = info->dlpi_name,
                    .bias = info->dlpi_addr,
                    .now = guest_module_tls(info->dlpi_tls_modid, info->dlpi_tls_data),
                    .start = (const char *)info->dlpi_addr + ph->p_vaddr,
                    .size = ph->p_memsz,
                    .initial = ph->p_filesz,
                    .tls = 1};
}

static int add_module(struct dl_phdr_info *info, size_t size, void *unused)
{
  (void)size, (void)unused;
  for (int i = 0; is_other(info) && i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
    if (ph->p_type == PT_LOAD && ph->p_flags & PF_W)
      add_segment(info, ph);
    else if (ph->p_type == PT_TLS)
      add_tls(info, ph);
  }
  return 0;
}

int is_variable(const void *p, size_t size)
{
  for (size_t i = 0; i < n_areas; i++)
    if (!areas[i].tls && (uintptr_t)p >= (uintptr_t)areas[i].now && size <= areas[i].size &&
        (uintptr_t)p - (uintptr_t)areas[i].now <= areas[i].size - size)
      return 1;
  return 0;
}

void is_harmless(const void *p, size_t size)
{
  for (size_t i = 0; i < n_areas; i++)
    for (size_t n = 0; n < size && !areas[i].tls; n += UNIT)
      if ((uintptr_t)p + n - (uintptr_t)areas[i].now < areas[i].size)
        areas[i].known[((uintptr_t)p + n - (uintptr_t)areas[i].now) / UNIT] = BOUND;
}

/* The words that the dynamic linker fills at the first call of a function (gABI, DT_JMPREL). */
static int mark_slots(struct dl_phdr_info *info, size_t size, void *unused)
{
  uintptr_t table = 0, bytes = 0, rela = 0;
  (void)size, (void)unused;
  for (int i = 0; is_other(info) && i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
      continue;
    const ElfW(Dyn) *d = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    for (; d->d_tag != DT_NULL; d++)
      if (d->d_tag == DT_JMPREL)
        table = d->d_un.d_ptr;
      else if (d->d_tag == DT_PLTRELSZ)
        bytes = d->d_un.d_val;
      else if (d->d_tag == DT_PLTREL)
        rela = d->d_un.d_val == DT_RELA;
  }
  if (table && table < info->dlpi_addr) /* glibc has put the address there, musl not */
    table += info->dlpi_addr;
  const size_t each = rela ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
  for (uintptr_t at = table; table && at + each <= table + bytes; at += each)
    is_harmless((const void *)(info->dlpi_addr + ((const ElfW(Rel) *)at)->r_offset),
                sizeof(void *));
  return 0;
}

/* copies of memory */

static char *room(size_t size, int flags)
{
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

/* To memory that is all zero, whose pages stay unused where they can. */
static void copy_sparse(char *to, const char *from, size_t size)
{
  static const char zeros[PAGE];
  for (size_t at = 0, n; at < size; at += n) {
    n = size - at < PAGE ? size - at : PAGE;
    if (memcmp(from + at, zeros, n) != 0)
      memcpy(to + at, from + at, n);
  }
}

/* Calls f for each unit of the area that base has otherwise. */
static void each_change(struct area *a, const char *base,
                        void (*f)(struct area *a, size_t unit, void *arg), void *arg)
{
  for (size_t at = 0, n; a->now && at < a->size; at += n) {
    n = a->size - at < PAGE ? a->size - at : PAGE;
    if (memcmp(a->now + at, base + at, n) == 0)
      continue;
    for (size_t i = at; i < at + n; i += UNIT)
      if (memcmp(a->now + i, base + i, at + n - i < UNIT ? at + n - i : UNIT) != 0)
        f(a, i / UNIT, arg);
  }
}

/* Modules that were loaded with RTLD_LOCAL are not seen otherwise. */
void *find_symbol(const char *name)
{
  void *p = dlsym(RTLD_DEFAULT, name);
  for (size_t i = 0; i < n_areas && !p; i++) {
    void *module = dlopen(areas[i].path, RTLD_LAZY | RTLD_NOLOAD);
    p = module ? dlsym(module, name) : NULL;
  }
  return p;
}

void copies_are_made(int yes)
{
  makes_copies = yes;
}

/* No handlers of fork, no other owner of a lock, no signal at the end: an emulator that knows no such copies sends
 * one, which end_copy takes back. */
static long begin_copy(sigset_t *mask)
{
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  (void)sigprocmask(SIG_BLOCK, &child, mask);
  long pid = machine_clone(0);
  if (pid < 0 && errno == EINVAL)
    pid = machine_clone(SIGCHLD);
  if (!pid)
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
  return pid;
}

static void end_copy(long pid, const sigset_t *mask)
{
  int status;
  sigset_t child;
  const struct timespec now = {0, 0};
  while (pid > 0 && syscall(SYS_wait4, pid, &status, __WALL, NULL) < 0 && errno == EINTR)
    ;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  if (!sigismember(mask, SIGCHLD))
    (void)sigtimedwait(&child, NULL, &now);
  (void)sigprocmask(SIG_SETMASK, mask, NULL);
}

void in_copy(void (*f)(void))
{
  sigset_t mask;
  if (!makes_copies)
    return;
  const long pid = begin_copy(&mask);
  if (pid == 0) {
    const int null = open("/dev/null", O_WRONLY);
    (void)dup2(null, STDOUT_FILENO);
    (void)dup2(null, STDERR_FILENO);
    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(COPY_SECONDS);
    f();
    _exit(0);
  }
  end_copy(pid, &mask);
}

/* the experiments */

static void note_unit(struct area *a, size_t unit, unsigned char index)
{
  const size_t at = unit * UNIT, n = a->size - at < UNIT ? a->size - at : UNIT;
  if (!a->known[unit]) {
    a->known[unit] = index + 1;
    memcpy(a->expected + at, a->now + at, n);
  }
}

/* The upper half of a pointer may happen to stay the same. */
static int is_pointer(uintptr_t value)
{
  unsigned char resident;
  return value >= PAGE &&
         !syscall(SYS_mincore, value & ~(uintptr_t)(PAGE - 1), (size_t)PAGE, &resident);
}

static void note(struct area *a, size_t unit, void *probe)
{
  const unsigned char index = *(unsigned char *)probe;
  const size_t word = unit * UNIT / sizeof(uintptr_t) * sizeof(uintptr_t);
  uintptr_t value = 0;
  note_unit(a, unit, index);
  if (word + sizeof value <= a->size)
    memcpy(&value, a->now + word, sizeof value);
  for (size_t i = 0; is_pointer(value) && i < sizeof value; i += UNIT)
    note_unit(a, word / UNIT + i / UNIT, index);
}

/* What lies between two of an allocator's books is one, too. */
static void fill_books(struct area *a)
{
  const size_t n = units(a->size);
  for (size_t i = 0, last = n; i < n; i++) {
    if (!a->known[i] || a->known[i] == BOUND || probes[a->known[i] - 1].kind != PROBE_BOOKS)
      continue;
    for (size_t j = last + 1; last < n && i - last <= BOOKS / UNIT && j < i; j++)
      if (!a->known[j])
        a->known[j] = a->known[i];
    last = i;
  }
}

static void refresh(const struct area *a, char *base)
{
  for (size_t at = 0, n; a->now && at < a->size; at += n) {
    n = a->size - at < PAGE ? a->size - at : PAGE;
    if (memcmp(base + at, a->now + at, n) != 0)
      memcpy(base + at, a->now + at, n);
  }
}

/* In a copy: runs probes from *next_probe on, up to those of another sort. */
static void run_probes(int tell)
{
  char *base = room(total, MAP_PRIVATE);
  for (size_t i = 0; base && i < n_areas; i++)
    refresh(&areas[i], base + (areas[i].before - areas[0].before));
  for (; base && probes[*next_probe].kind != PROBE_END; ++*next_probe) {
    const struct probe *p = &probes[*next_probe];
    unsigned char index = (unsigned char)*next_probe;
    if ((p->kind == PROBE_TELLS) != tell)
      break;
    p->call();
    for (size_t i = 0; i < n_areas; i++) {
      char *as_it_was = base + (areas[i].before - areas[0].before);
      each_change(&areas[i], as_it_was, note, &index);
      refresh(&areas[i], as_it_was);
    }
  }
}

/* Whether it is a change that matters, or may. */
static int matters(const struct area *a, size_t unit)
{
  const size_t at = unit * UNIT, n = a->size - at < UNIT ? a->size - at : UNIT;
  const unsigned char known = a->known[unit];
  if (!known)
    return 1;
  if (known == BOUND)
    return 0;
  if (probes[known - 1].kind == PROBE_SAME)
    return memcmp(a->now + at, a->expected + at, n) != 0;
  return probes[known - 1].kind == PROBE_TELLS;
}

/* In a copy: a function that finds its work done already would change nothing. */
static void undo(struct area *a, size_t unit, void *unused)
{
  const size_t at = unit * UNIT, n = a->size - at < UNIT ? a->size - at : UNIT;
  (void)unused;
  if (matters(a, unit))
    memcpy((char *)(uintptr_t)a->now + at, a->before + at, n);
}

static void run_harmless(void)
{
  run_probes(0);
}

static void run_telling(void)
{
  for (size_t i = 0; i < n_areas; i++)
    each_change(&areas[i], areas[i].before, undo, NULL);
  run_probes(1);
}

/* All of one sort.  One that ends its process (a library may have its own idea of a function) tells
 * nothing. */
static void experiment(void (*run)(void), int tell)
{
  while (makes_copies) {
    const unsigned first = *next_probe;
    in_copy(run);
    if (probes[*next_probe].kind == PROBE_END || (probes[*next_probe].kind == PROBE_TELLS) != tell)
      return;
    if (*next_probe >= first)
      ++*next_probe;
  }
}

void memory_begin(const void *image)
{
  own_image = image;
  dl_iterate_phdr(add_module, NULL);
  make_streams();
  for (size_t i = 0; i < n_areas; i++)
    total += (areas[i].size + 15) & ~(size_t)15;
  char *before = room(total, MAP_PRIVATE);
  char *expected = room(total + units(total) + n_areas + sizeof *next_probe, MAP_SHARED);
  if (!before || !expected) {
    n_areas = 0;
    return;
  }
  next_probe = (unsigned *)(void *)expected;
  expected += sizeof *next_probe;
  unsigned char *known = (unsigned char *)expected + total;
  for (size_t i = 0; i < n_areas; i++) {
    struct area *a = &areas[i];
    a->before = before;
    a->expected = expected;
    a->known = known;
    before += (a->size + 15) & ~(size_t)15;
    expected += (a->size + 15) & ~(size_t)15;
    known += units(a->size);
    copy_sparse(a->before, a->now ? a->now : a->start, a->now ? a->size : a->initial);
  }
  dl_iterate_phdr(mark_slots, NULL);
  experiment(run_harmless, 0);
  for (size_t i = 0; !dlsym(RTLD_DEFAULT, "mallopt") && i < n_areas; i++)
    fill_books(&areas[i]);
  (void)dlerror();
}

/* what has changed */

static int see_again(struct dl_phdr_info *info, size_t size, void *area)
{
  struct area *a = area;
  (void)size;
  if (info->dlpi_addr != a->bias || info->dlpi_name != a->path)
    return 0;
  if (a->tls)
    a->now = guest_module_tls(info->dlpi_tls_modid, info->dlpi_tls_data);
  return 1;
}

static void count_change(struct area *a, size_t unit, void *n)
{
  *(size_t *)n += (size_t)matters(a, unit);
}

/* Neighbours of the same kind, as one line. */
struct stretch {
  size_t from, to;
  unsigned char known;
  void (*say)(char sign, const char *line);
};

static void say_stretch(const struct area *a, struct stretch *s)
{
  char line[4608];
  const size_t n = s->to - s->from;
  const int tells = s->known && probes[s->known - 1].kind == PROBE_TELLS;
  if (n)
    snprintf(line, sizeof line, "data %lx %zx %d %llx %llx %s %s",
             (unsigned long)(a->offset + s->from), n, a->tls,
             (unsigned long long)first_bytes(a->before + s->from, n),
             (unsigned long long)first_bytes(a->now + s->from, n),
             tells ? probes[s->known - 1].name : "-", a->path);
  if (n)
    s->say('+', line);
  s->from = s->to = 0;
}

static void join(struct area *a, size_t unit, void *stretch)
{
  struct stretch *s = stretch;
  const size_t at = unit * UNIT, end = at + UNIT < a->size ? at + UNIT : a->size;
  if (!matters(a, unit))
    return;
  if (s->to && (s->known != a->known[unit] || at - s->to > GAP))
    say_stretch(a, s);
  if (!s->to)
    s->from = at;
  s->to = end;
  s->known = a->known[unit];
}

void memory_changes(void (*say)(char sign, const char *line))
{
  size_t n = 0;
  struct stretch s = {.say = say};
  for (size_t i = 0; i < n_areas; i++)
    if (dl_iterate_phdr(see_again, &areas[i])) /* else the module is gone, which is told as such */
      each_change(&areas[i], areas[i].before, count_change, &n);
    else
      areas[i].now = NULL;
  if (n)
    experiment(run_telling, 1);
  for (size_t i = 0; n && i < n_areas; i++) {
    each_change(&areas[i], areas[i].before, join, &s);
    say_stretch(&areas[i], &s);
  }
}
