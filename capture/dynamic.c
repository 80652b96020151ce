/* The dynamic linker's tables in the urf library: what init has done must not be done again.
 *
 * Relocations of the region would overwrite what is frozen, and constructors have run: their
 * entries are left out and the tables get shorter, at the places they have. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "write.h"

/* In memory form; NULL and an error when it cannot be had. */
static Elf_Data *get_table(struct writer *w, const char *what, const struct part *part,
                           Elf_Type type, uint64_t *offset)
{
  Elf_Data *data;
  if (write_find(w, what, part->address, part->size, offset))
    return NULL;
  /* gelf_get* count with an int */
  if (part->size / w->lib->form.word > INT_MAX) {
    (void)write_refuse(w, "a table of the dynamic linker is too large");
    return NULL;
  }
  data = elf_getdata_rawchunk(w->elf, (int64_t)*offset, part->size, type);
  if (!data)
    (void)fail_elf(w->e, REFUSED, w->lib->path, what);
  return data;
}

static int read_dynamic(struct writer *w)
{
  struct part whole = {0}, plt = {0};
  GElf_Dyn dyn;
  for (size_t i = 0; i < w->n_segments; i++)
    if (w->segments[i].p_type == PT_DYNAMIC)
      whole = (struct part){w->segments[i].p_vaddr, w->segments[i].p_filesz, 0};
  if (!whole.size) /* a static program at a fixed address */
    return 0;
  w->dynamic = get_table(w, ".dynamic", &whole, ELF_T_DYN, &w->dynamic_offset);
  if (!w->dynamic)
    return -1;
  for (int i = 0; gelf_getdyn(w->dynamic, i, &dyn) && dyn.d_tag != DT_NULL; i++)
    switch (dyn.d_tag) {
    case DT_REL:
    case DT_RELA: w->rela.address = dyn.d_un.d_ptr; break;
    case DT_RELSZ:
    case DT_RELASZ: w->rela.size = dyn.d_un.d_val; break;
    case DT_JMPREL: plt.address = dyn.d_un.d_ptr; break;
    case DT_PLTRELSZ: plt.size = dyn.d_un.d_val; break;
    case DT_RELR: w->relr.address = dyn.d_un.d_ptr; break;
    case DT_RELRSZ: w->relr.size = dyn.d_un.d_val; break;
    case DT_INIT_ARRAY: w->init.address = dyn.d_un.d_ptr; break;
    case DT_INIT_ARRAYSZ: w->init.size = dyn.d_un.d_val; break;
    default: break;
    }
  /* gABI: it may be a part of the other, at its end; it stays where it is */
  if (plt.size && plt.size <= w->rela.size &&
      plt.address + plt.size == w->rela.address + w->rela.size)
    w->rela.size -= plt.size;
  return 0;
}

static int compare_site(const void *key, const void *element)
{
  const size_t *offset = key;
  const struct site *site = element;
  return *offset < site->offset ? -1 : *offset > site->offset;
}

/* Whether a relocation would overwrite what is frozen, or belongs to a constructor that has run. */
static bool dropped(const struct writer *w, uint64_t address)
{
  const struct library *lib = w->lib;
  if (address - w->init.address < w->init.size)
    return address - w->init.address >= w->init.left;
  if (address - lib->note.data >= lib->region_size)
    return false;
  size_t offset = (size_t)(address - lib->note.data);
  const struct site *site = w->plan->sites.n ? bsearch(&offset, w->plan->sites.at, w->plan->sites.n,
                                                       sizeof *w->plan->sites.at, compare_site)
                                             : NULL;
  return !site || !site->by_ldso;
}

static int compare_address(const void *a, const void *b)
{
  const uint64_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

/* A symbol's address that may be wanted after all, see struct urf_fallback: it is put aside. */
static bool to_shadow(const struct writer *w, GElf_Rela *r)
{
  const struct table *t = w->table;
  const uint64_t *found = t->shadowed.n && GELF_R_TYPE(r->r_info) == w->lib->machine->symbolic
                              ? bsearch(&r->r_offset, t->shadowed.at, t->shadowed.n,
                                        sizeof *t->shadowed.at, compare_address)
                              : NULL;
  if (found)
    r->r_offset =
        w->tail_address + t->shadows + (uint64_t)(found - t->shadowed.at) * w->lib->form.word;
  return found != NULL;
}

/* A static program calls all entries of the array, whatever tables say: those of other constructors become
 * the loader's, which is called again.  It is the last one, too, by which the end of the array is found
 * where no table tells. */
static int fill_init_array(struct writer *w)
{
  const unsigned word = w->lib->form.word;
  uint64_t offset;
  w->init.address = w->lib->note.init_array;
  if (write_find(w, ".init_array", w->init.address, 2 * word, &offset))
    return -1;
  const unsigned char *first = w->old + offset;
  if (!w->dynamic)
    for (w->init.size = 2 * word; offset + w->init.size < w->data_offset &&
                                  memcmp(first + w->init.size - word, first, word) != 0;)
      w->init.size += word;
  w->init.left = w->init.size;
  for (uint64_t at = word; at < w->init.size && offset + at < w->data_offset; at += word)
    memcpy(w->head + offset + at, first, word);
  return 0;
}

/* The constructors have run: the loader's own, which urf.ld puts first, is the only one to stay. */
static int cut_init_array(struct writer *w)
{
  uint64_t offset;
  if (w->lib->is_static)
    return fill_init_array(w);
  if (!w->dynamic)
    return 0;
  if (w->init.address != w->lib->note.init_array || w->init.size < w->lib->form.word)
    return write_refuse(
        w, ".init_array does not start with the loader; was it linked with -T urf.ld?");
  w->init.left = w->lib->form.word;
  if (write_find(w, ".init_array", w->init.address, w->init.size, &offset))
    return -1;
  memset(w->head + offset + w->init.left, 0, w->init.size - w->init.left);
  return 0;
}

/* Where the addend is stays as it is. */
static bool get_relocation(const struct writer *w, Elf_Data *data, int i, GElf_Rela *r)
{
  GElf_Rel rel;
  if (!w->lib->machine->in_place)
    return gelf_getrela(data, i, r) != NULL;
  if (!gelf_getrel(data, i, &rel))
    return false;
  *r = (GElf_Rela){.r_offset = rel.r_offset, .r_info = rel.r_info};
  return true;
}

static bool put_relocation(const struct writer *w, Elf_Data *data, int i, GElf_Rela *r)
{
  GElf_Rel rel = {.r_offset = r->r_offset, .r_info = r->r_info};
  return w->lib->machine->in_place ? gelf_update_rel(data, i, &rel) : gelf_update_rela(data, i, r);
}

/* See fill_init_array. */
static void repeat_first(const struct writer *w, Elf_Data *table, GElf_Rela *r)
{
  GElf_Rela first;
  if (!w->lib->is_static || r->r_offset - w->init.address >= w->init.size)
    return;
  for (int i = 0; get_relocation(w, table, i, &first); i++)
    if (first.r_offset == w->init.address)
      r->r_addend = first.r_addend;
}

/* Left out rather than turned into NONE, which has no place in a shared object. */
static int filter_rela(struct writer *w)
{
  uint64_t offset;
  GElf_Rela r;
  const Elf_Type type = w->lib->machine->in_place ? ELF_T_REL : ELF_T_RELA;
  int n = 0;
  if (!w->rela.size)
    return 0;
  Elf_Data *data = get_table(w, "the table of relocations", &w->rela, type, &offset);
  if (!data)
    return -1;
  for (int i = 0; get_relocation(w, data, i, &r); i++) {
    if (dropped(w, r.r_offset) && !to_shadow(w, &r))
      continue;
    repeat_first(w, data, &r);
    if (GELF_R_TYPE(r.r_info) == w->lib->machine->relative && w->n_relative == (uint64_t)n)
      w->n_relative++;
    if (!put_relocation(w, data, n++, &r))
      return fail_elf(w->e, SYSTEM, w->lib->path, ".rela.dyn");
  }
  w->rela.left = gelf_fsize(w->elf, type, (size_t)n, EV_CURRENT);
  memset((char *)data->d_buf + w->rela.left, 0, data->d_size - w->rela.left);
  return write_form(w, data->d_buf, type, data->d_size, w->head + offset);
}

/* Packed again, as tightly as it goes, the rest is no longer than the whole was. */
static int filter_relr(struct writer *w)
{
  const unsigned word = w->lib->form.word;
  struct addresses all = {0};
  struct bytes out = {0};
  uint64_t offset;
  size_t n = 0;
  if (!w->relr.size)
    return 0;
  Elf_Data *data = get_table(w, ".relr.dyn", &w->relr, ELF_T_ADDR, &offset);
  if (!data)
    return -1;
  relr_unpack(&all, data->d_buf, data->d_size, native(word));
  for (size_t i = 0; i < all.n; i++)
    if (!dropped(w, all.at[i]))
      all.at[n++] = all.at[i];
  relr_pack(&out, all.at, n, native(word));
  w->relr.left = out.n;
  int result = out.n > data->d_size ? write_refuse(w, ".relr.dyn is not in order") : 0;
  if (!result) {
    memset(data->d_buf, 0, data->d_size);
    if (out.n)
      memcpy(data->d_buf, out.at, out.n);
    result = write_form(w, data->d_buf, ELF_T_ADDR, data->d_size, w->head + offset);
  }
  free(all.at);
  free(out.at);
  return result;
}

/* DT_INIT has run, too, in a library.  The array has DT_NULL at its end: as many as are needed. */
static int put_dynamic(struct writer *w)
{
  GElf_Dyn dyn = {0};
  int n = 0;
  if (!w->dynamic)
    return 0;
  for (int i = 0; gelf_getdyn(w->dynamic, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
    switch (dyn.d_tag) {
    case DT_INIT:
      if (!w->lib->is_static)
        continue;
      break; /* called by the program itself */
    case DT_RELSZ:
    case DT_RELASZ: dyn.d_un.d_val = w->rela.left; break;
    case DT_RELCOUNT:
    case DT_RELACOUNT: dyn.d_un.d_val = w->n_relative; break;
    case DT_RELRSZ: dyn.d_un.d_val = w->relr.left; break;
    case DT_INIT_ARRAYSZ: dyn.d_un.d_val = w->init.left; break;
    default: break;
    }
    if (!gelf_update_dyn(w->dynamic, n++, &dyn))
      return fail_elf(w->e, SYSTEM, w->lib->path, ".dynamic");
  }
  size_t used = gelf_fsize(w->elf, ELF_T_DYN, (size_t)n, EV_CURRENT);
  memset((char *)w->dynamic->d_buf + used, 0, w->dynamic->d_size - used);
  return write_form(w, w->dynamic->d_buf, ELF_T_DYN, w->dynamic->d_size,
                    w->head + w->dynamic_offset);
}

int write_dynamic(struct writer *w)
{
  return read_dynamic(w) || cut_init_array(w) || filter_rela(w) || filter_relr(w) || put_dynamic(w)
             ? -1
             : 0;
}
