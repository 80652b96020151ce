/* Where the parts of a library are that was linked without urf.ld, by a linker that reads no script.  The
 * loader's object file (loader/plain.c) has them in sections of their own, in the order in which they have to
 * be; whatever else the linker has put among them is part of the region, or refused. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

#define NOTE ".urf.note"

struct linked {
  struct elf_file *f;
  struct urf_note *note;
  const GElf_Phdr *last; /* the segment that ends in the heap */
  uint64_t heap_size, behind;
};

static int misplaced(const struct linked *l, const char *name, const char *what)
{
  return fail(l->f->e, REFUSED,
              "%s: cannot be frozen: %s %s; link it with ld.bfd or lld, and with urf.ld",
              l->f->path, name, what);
}

/* Calls f for each section that is in memory, thread-local variables aside, until it returns what is not 0. */
static int each_section(struct linked *l,
                        int (*f)(struct linked *l, const char *name, const GElf_Shdr *sh))
{
  size_t names;
  GElf_Shdr sh;
  int result = 0;
  if (elf_getshdrstrndx(l->f->elf, &names))
    return fail_elf(l->f->e, REFUSED, l->f->path, "section names");
  for (Elf_Scn *scn = NULL; !result && (scn = elf_nextscn(l->f->elf, scn));) {
    const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(l->f->elf, names, sh.sh_name) : NULL;
    if (name && sh.sh_flags & SHF_ALLOC && !(sh.sh_flags & SHF_TLS))
      result = f(l, name, &sh);
  }
  return result;
}

static int take_name(struct linked *l, const char *name, const GElf_Shdr *sh)
{
  struct urf_note *n = l->note;
  if (strcmp(name, NOTE) == 0)
    n->self = sh->sh_addr;
  else if (strcmp(name, ".urf.state") == 0)
    n->state = sh->sh_addr;
  else if (strcmp(name, ".data") == 0)
    n->data = sh->sh_addr;
  else if (strcmp(name, ".init_array") == 0)
    n->init_array = sh->sh_addr;
  else if (strcmp(name, ".tm_clone_table") == 0)
    n->tm_clones = sh->sh_size;
  else if (strcmp(name, ".urf.transient") == 0 && sh->sh_size)
    return misplaced(l, "variables with URF_TRANSIENT", "have no place of their own");
  else if (strcmp(name, ".urf.heap") == 0) {
    n->heap = sh->sh_addr;
    l->heap_size = sh->sh_size;
  }
  return 0;
}

static bool is_linkers(const char *name)
{
  return strcmp(name, ".dynamic") == 0 || strcmp(name, ".got") == 0 ||
         strcmp(name, ".got.plt") == 0;
}

static int take_bss(struct linked *l, const char *name, const GElf_Shdr *sh)
{
  struct urf_note *n = l->note;
  (void)name;
  if (sh->sh_type == SHT_NOBITS && sh->sh_size && sh->sh_addr >= n->data &&
      sh->sh_addr <= n->heap && (!n->bss || sh->sh_addr < n->bss))
    n->bss = sh->sh_addr;
  return 0;
}

/* In front of the variables, and in the same segment, is what the dynamic linker's. */
static int check_order(struct linked *l, const char *name, const GElf_Shdr *sh)
{
  const struct urf_note *n = l->note;
  if (sh->sh_addr >= n->heap + l->heap_size && strcmp(name, ".urf.table") != 0 && sh->sh_size)
    return misplaced(l, name, "stands behind the heap");
  if (sh->sh_addr >= l->last->p_vaddr && sh->sh_addr < n->data && sh->sh_size && !is_linkers(name))
    return misplaced(l, name, "stands in front of .data");
  if (sh->sh_addr < n->data || sh->sh_addr >= n->heap)
    return 0;
  if (is_linkers(name))
    return misplaced(l, name, "stands among the variables");
  if (sh->sh_addr >= n->bss && sh->sh_type != SHT_NOBITS && sh->sh_size)
    return misplaced(l, name, "stands behind variables that are zero");
  return 0;
}

static void find_last(struct linked *l)
{
  const uint64_t heap = l->note->heap;
  for (size_t i = 0; i < l->f->n_segments; i++) {
    const GElf_Phdr *p = &l->f->segments[i];
    if (p->p_type == PT_LOAD && heap >= p->p_vaddr && heap - p->p_vaddr < p->p_memsz)
      l->last = p;
  }
}

bool linked_note(struct elf_file *f, GElf_Shdr *sh)
{
  size_t names;
  if (elf_getshdrstrndx(f->elf, &names))
    return false;
  for (Elf_Scn *scn = NULL; (scn = elf_nextscn(f->elf, scn)) && gelf_getshdr(scn, sh);) {
    const char *name = elf_strptr(f->elf, names, sh->sh_name);
    if (name && strcmp(name, NOTE) == 0)
      return true;
  }
  return false;
}

int linked_find(struct elf_file *f, struct urf_note *note)
{
  struct linked l = {.f = f, .note = note};
  if (each_section(&l, take_name))
    return -1;
  if (!note->self || !note->state || !note->data || !note->init_array ||
      l.heap_size != note->heap_reserve)
    return misplaced(&l, "what turf has linked to it", "is not all there (was it stripped?)");
  find_last(&l);
  if (!l.last)
    return misplaced(&l, ".urf.heap", "is in no segment");
  if (each_section(&l, take_bss))
    return -1;
  note->transient = note->data;
  return each_section(&l, check_order);
}

int library_complete(const struct library *lib, char **temporary, struct error *e)
{
  struct elf_file f;
  struct stat st;
  uint64_t offset;
  unsigned char *bytes = NULL;
  int result = file_open(&f, lib->file, e);
  if (!result && fstat(f.fd, &st))
    result = fail_errno(e, lib->file, "fstat");
  if (!result) {
    bytes = xalloc((size_t)f.size);
    result = file_read(&f, 0, bytes, (size_t)f.size);
  }
  if (!result && file_at(&f, lib->note.self, &offset) < sizeof lib->note)
    result = file_damaged(&f, "the place of .note.urf");
  if (!result) {
    memcpy(bytes + offset, &lib->note, sizeof lib->note);
    order_turn(lib->form, RECORD_NOTE, bytes + offset, 1);
    result = file_beside(lib->file, bytes, (size_t)f.size, st.st_mode & 0777, temporary, e);
  }
  file_close(&f);
  free(bytes);
  return result;
}
