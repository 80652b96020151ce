/* Displacing programs of 32 bits that an emulator of user space (qemu, linux-user) runs on a machine of 64.
 *
 * It reserves all addresses that its program can have at once, and chooses among them by itself, so that the kernel
 * has no say.  Where it looks for room first (downwards from there) it keeps in a variable, mmap_next_start, which it
 * exports as it does all its symbols, for plugins: here that is set before each mapping.  A library with a preferred
 * base it would put where the dynamic linker says; so the calls that map that are changed, and it takes for the place
 * what the kernel returns.  What another emulator does in another way lies at the same addresses in each run then,
 * which displaced.c sees. */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

#include "trace.h"
#include "tracer.h"

enum { WORD = 4 }; /* of its program's addresses */

size_t guests_filter(struct sock_filter *to, const struct displacement *d)
{
  const struct sock_filter code[GUESTS_FILTER] = {
      IF(JEQ, SYS_mremap, 1, 0),
      IF(JEQ, SYS_openat, 0, 1),
      TRACE,
  };
  const size_t n = d->guests.wanted ? 3 : 0;
  memcpy(to, code, n * sizeof *code);
  return n;
}

/* The entry that the file of the process names, 0 when it cannot be read. */
static uint64_t entry_of(const char *file)
{
  Elf64_Ehdr header = {0};
  const int fd = open(file, O_RDONLY | O_CLOEXEC);
  const bool good = fd >= 0 && read(fd, &header, sizeof header) == sizeof header;
  if (fd >= 0)
    close(fd);
  return good ? header.e_entry : 0;
}

void guests_begin(int pid, uint64_t entry, struct displacement *d)
{
  struct guests *g = &d->guests;
  struct exports x = {0};
  struct error ignored = {0};
  char *file = xprintf("/proc/%d/exe", pid);
  const uint64_t linked = entry_of(file);
  g->variable = g->base = 0;
  if (pid == d->pid && linked && !exports_read(&x, file, &ignored))
    for (size_t i = 0; i < x.list.n; i++)
      if (strcmp(x.list.at[i].name, "mmap_next_start") == 0 && x.list.at[i].size == WORD)
        g->variable = x.list.at[i].value + entry - linked;
  exports_free(&x);
  error_free(&ignored);
  free(file);
}

static void set_place(int pid, struct displacement *d, bool own)
{
  /* how much it will be is not known yet; qemu asks for the program's break together with it (16 MiB, elfload.c) */
  enum { OTHERS = 1 << 24, ROOM = 4 << 20, BREAK = 16 << 20 };
  struct guests *g = &d->guests;
  const bool library = own && g->opened;
  const uint64_t step = own ? g->n : OTHERS + g->others;
  const uint64_t room = own && !g->n ? ROOM + BREAK : ROOM;
  const uint64_t place = trace_place(d, library, step, library ? d->reserved : room);
  unsigned char bytes[WORD];
  put_word(bytes, native(WORD), place);
  (void)child_write(pid, g->variable, bytes, sizeof bytes);
  if (own)
    g->place = place;
}

/* The emulator has found room there, for its program. */
static void note(int pid, struct displacement *d, const struct made *made)
{
  struct guests *g = &d->guests;
  const bool own = is_thread_of(pid, d->pid);
  if (own && !g->n)
    d->program = made->lo, d->program_size = made->size;
  if (own)
    *PUSH(&d->made) = *made, g->n++;
  else
    g->others++;
  g->opened = g->opened && !own;
  set_place(pid, d, own);
}

/* The library, which the dynamic linker opens and then maps. */
static void see_open(int pid, const struct user_regs_struct *regs, struct displacement *d)
{
  const size_t n = strlen(d->library) + 1;
  char *name = xalloc(n);
  if (!d->guests.loaded && child_read(pid, regs->REG_ARG2, name, n) &&
      memcmp(name, d->library, n) == 0 && is_thread_of(pid, d->pid)) {
    d->guests.opened = d->guests.loaded = true;
    set_place(pid, d, true);
  }
  free(name);
}

/* The break would move with the program, behind which it is: where it does not grow, allocators do without. */
static bool is_break(const struct displacement *d, uint64_t at, const struct user_regs_struct *regs)
{
  return d->guests.n > 1 && (int)regs->REG_ARG5 < 0 && regs->REG_ARG3 != PROT_NONE &&
         at - d->program < d->program_size;
}

static void move(int pid, struct user_regs_struct *regs, const struct guests *g, uint64_t to)
{
  regs->REG_ARG1 = g->base + to;
  (void)child_set_call(pid, regs);
}

static bool is_library(const struct displacement *d, uint64_t size)
{
  return d->guests.opened && (size - d->image < 4096 || size - d->reserved < 4096);
}

/* It is about to map the library there, because of a hint; first room for it, then its file.  True when it was. */
static bool see_hint(int pid, struct displacement *d, struct user_regs_struct *regs, uint64_t at)
{
  struct guests *g = &d->guests;
  const uint64_t to = g->place, size = regs->REG_ARG2;
  if (!is_thread_of(pid, d->pid))
    return false;
  const bool file = g->hinted == at && (int)regs->REG_ARG5 >= 0 && d->made.n;
  const bool room = !file && is_library(d, size), fell = d->fixed || trace_overlaps(d, to, size);
  g->hinted = room && !fell ? at : 0;
  if (file)
    move(pid, regs, g, d->made.at[d->made.n - 1].lo);
  else if (room && !fell)
    move(pid, regs, g, to);
  if (room)
    note(pid, d, &(struct made){.lo = fell ? at : to, .size = size, .fell = fell});
  return file || room;
}

bool guests_call(int pid, struct user_regs_struct *regs, struct displacement *d)
{
  struct guests *g = &d->guests;
  const uint64_t all = UINT32_MAX & ~(uint64_t)0xfffffff;
  const bool map = regs->REG_SYSCALL == SYS_mmap, move = regs->REG_SYSCALL == SYS_mremap;
  unsigned char bytes[WORD];
  if (!g->variable || (!map && !move && regs->REG_SYSCALL != SYS_openat))
    return false;
  if (regs->REG_SYSCALL == SYS_openat) {
    see_open(pid, regs, d);
    return true;
  }
  if (map && !g->base && regs->REG_ARG2 >= all && regs->REG_ARG4 & MAP_FIXED_NOREPLACE) {
    g->base = regs->REG_ARG1;
    set_place(pid, d, true);
    return true;
  }
  const uint64_t at = (map ? regs->REG_ARG1 : regs->REG_ARG5) - g->base;
  if (!g->base || at > UINT32_MAX || !child_read(pid, g->variable, bytes, sizeof bytes))
    return false;
  if (at == get_word(bytes, native(WORD)))
    note(pid, d,
         &(struct made){.lo = at,
                        .size = map ? regs->REG_ARG2 : regs->REG_ARG3,
                        .for_stack =
                            map && regs->REG_ARG3 == PROT_NONE && regs->REG_ARG4 & MAP_STACK,
                        .fell = g->loaded && at != g->place});
  else if (map && !see_hint(pid, d, regs, at) && is_break(d, at, regs))
    child_give(pid, regs, -ENOMEM);
  return true;
}
