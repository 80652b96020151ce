/* Who made an allocation: the stack, walked with the unwind tables of the modules (psABI, Itanium C++ ABI:
 * exception handling, level 1). */

#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unwind.h>

#include "unwind_host.h"

enum { FRAMES = 64 };

static struct stack {
  size_t allocation, n;
  uintptr_t frames[FRAMES];
} * stacks;
static size_t n_stacks, next;

void unwind_want(const char *numbers)
{
  size_t n = 1;
  for (const char *c = numbers; *c; c++)
    n += *c == ',';
  stacks = calloc(n, sizeof *stacks);
  for (char *end; stacks && n_stacks < n; numbers = end + 1) {
    stacks[n_stacks++].allocation = strtoul(numbers, &end, 10);
    if (*end != ',')
      break;
  }
}

static _Unwind_Reason_Code see(struct _Unwind_Context *context, void *arg)
{
  struct stack *s = arg;
  if (s->n < FRAMES)
    s->frames[s->n++] = _Unwind_GetIP(context);
  return s->n < FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

void unwind_at(size_t allocation)
{
  while (next < n_stacks && stacks[next].allocation < allocation)
    next++;
  if (next < n_stacks && stacks[next].allocation == allocation)
    (void)_Unwind_Backtrace(see, &stacks[next]);
}

void unwind_each(void (*f)(size_t allocation, const uintptr_t *frames, size_t n))
{
  for (size_t i = 0; i < n_stacks; i++)
    f(stacks[i].allocation, stacks[i].frames, stacks[i].n);
}

#ifndef __GLIBC__
/* A libgcc that was built for glibc asks for these, which musl has not: sys/auxv.h (for aarch64), dlfcn.h. */
unsigned long __getauxval(unsigned long type) __attribute__((weak)); /* in libc.a it is */
unsigned long __getauxval(unsigned long type)
{
  return getauxval(type);
}

struct dl_find_object {
  unsigned long long flags;
  void *start, *end;
  struct link_map *map;
  void *eh_frame;
  unsigned long long reserved[7];
};
int _dl_find_object(void *pc, struct dl_find_object *result);

struct search {
  uintptr_t pc;
  struct dl_find_object *result;
};

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
  const struct search *s = arg;
  const ElfW(Phdr) *ph = info->dlpi_phdr, *end = ph + info->dlpi_phnum, *tables = NULL,
                   *load = NULL;
  (void)size;
  for (; ph < end; ph++) {
    if (ph->p_type == PT_LOAD && s->pc - (info->dlpi_addr + ph->p_vaddr) < ph->p_memsz)
      load = ph;
    tables = ph->p_type == PT_GNU_EH_FRAME ? ph : tables;
  }
  if (!load || !tables)
    return 0;
  *s->result =
      (struct dl_find_object){.start = (void *)(info->dlpi_addr + load->p_vaddr),
                              .end = (void *)(info->dlpi_addr + load->p_vaddr + load->p_memsz),
                              .eh_frame = (void *)(info->dlpi_addr + tables->p_vaddr)};
  return 1;
}

int _dl_find_object(void *pc, struct dl_find_object *result)
{
  struct search s = {(uintptr_t)pc, result};
  return dl_iterate_phdr(look_at, &s) ? 0 : -1;
}
#endif
