/* The urf library: the input with another last segment.
 *
 *   head      everything before the region, at its old offsets; tables that change are patched
 *   region    plan->image
 *   table     the loader's table, and what of the input was replaced
 *   rest      sections that are in no segment, and the section headers
 *
 * libelf converts whatever has a class and a byte order.  The layout is not left to elf_update: it
 * writes nothing that no section covers (padding of a segment, a file without section headers), and
 * writes zeros where a hole will do. */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "write.h"

#define HUGE_PAGE 0x200000u
#define TABLE_ALIGN 16u
#define TABLE_RESERVE 8u /* what .urf.table has in the input, see loader/state.c */

int write_refuse(struct writer *w, const char *what)
{
  return fail(w->e, REFUSED, "%s: cannot be frozen: %s", w->lib->path, what);
}

static uint64_t round_up(uint64_t n, uint64_t align)
{
  return align ? n + (align - n % align) % align : n;
}

/* Puts n things in memory form to their place in the head. */
int write_form(struct writer *w, void *from, Elf_Type type, size_t size, void *to)
{
  Elf_Data in = {.d_buf = from, .d_type = type, .d_version = EV_CURRENT, .d_size = size};
  Elf_Data out = in;
  out.d_buf = to;
  if (!gelf_xlatetof(w->elf, &out, &in, w->ehdr.e_ident[EI_DATA]))
    return fail_elf(w->e, SYSTEM, w->lib->path, "cannot be converted");
  return 0;
}

static bool is32(const struct writer *w)
{
  return w->ehdr.e_ident[EI_CLASS] == ELFCLASS32;
}

static int put_ehdr(struct writer *w, GElf_Ehdr *ehdr)
{
  void *form;
  if (!gelf_update_ehdr(w->elf, ehdr))
    return fail_elf(w->e, SYSTEM, w->lib->path, "ELF header");
  form = is32(w) ? (void *)elf32_getehdr(w->elf) : (void *)elf64_getehdr(w->elf);
  return write_form(w, form, ELF_T_EHDR, gelf_fsize(w->elf, ELF_T_EHDR, 1, EV_CURRENT), w->head);
}

/* As the hashes take it, see struct urf_origin. */
static int put_plain_ehdr(struct writer *w)
{
  GElf_Ehdr ehdr = w->ehdr;
  ehdr.e_shoff = ehdr.e_shentsize = ehdr.e_shnum = ehdr.e_shstrndx = 0;
  return put_ehdr(w, &ehdr);
}

/* What the reader read is what is written; the mappings see later changes of the file, or not. */
static int check_unchanged(struct writer *w, uint64_t end)
{
  if (put_plain_ehdr(w))
    return -1;
  XXH128_hash_t hash = XXH3_128bits(w->head, end);
  /* libelf has not read the section headers yet and needs to know where they are */
  if (put_ehdr(w, &w->ehdr))
    return -1;
  if (hash.low64 != w->lib->hash[0] || hash.high64 != w->lib->hash[1])
    return fail(w->e, SYSTEM, "%s: was changed by someone else during the freeze", w->lib->path);
  return 0;
}

static int open_input(struct writer *w)
{
  const char *path = w->lib->file;
  struct stat st;
  w->in = open(path, O_RDONLY | O_CLOEXEC);
  if (w->in < 0 || fstat(w->in, &st))
    return fail_errno(w->e, path, "cannot be opened");
  if ((uint64_t)st.st_size != w->lib->file_size || !st.st_size)
    return fail(w->e, SYSTEM, "%s: was changed by someone else during the freeze", path);
  w->mode = st.st_mode & 0777; /* as cp -p of a user who may not: no set-user-ID */
  w->size = (size_t)st.st_size;
  w->old = mmap(NULL, w->size, PROT_READ, MAP_PRIVATE, w->in, 0);
  w->head = mmap(NULL, w->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, w->in, 0);
  if (w->old == MAP_FAILED || w->head == MAP_FAILED)
    return fail_errno(w->e, path, "cannot be mapped");
  /* Not ELF_C_READ_MMAP: what gelf_update_* changes would be read-only. */
  if (elf_version(EV_CURRENT) == EV_NONE || !(w->elf = elf_begin(w->in, ELF_C_READ, NULL)))
    return fail_elf(w->e, SYSTEM, path, "cannot be read");
  if (!gelf_getehdr(w->elf, &w->ehdr))
    return fail_elf(w->e, REFUSED, path, "no ELF header");
  return 0;
}

/* lld puts zero-initialised sections that the script does not name behind all others. */
static int refuse_behind(struct writer *w, uint64_t end)
{
  const char *name = "something";
  size_t names;
  GElf_Shdr sh;
  if (!elf_getshdrstrndx(w->elf, &names))
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(w->elf, scn)) && gelf_getshdr(scn, &sh);)
      if (sh.sh_flags & SHF_ALLOC && sh.sh_addr >= end && elf_strptr(w->elf, names, sh.sh_name))
        name = elf_strptr(w->elf, names, sh.sh_name);
  return fail(w->e, REFUSED,
              "%s: cannot be frozen: %s stands behind .urf.heap\ngive that section a name that "
              "starts with .data. or .bss., or link with ld.bfd",
              w->lib->path, name);
}

/* What this file relies on: from the region on there is nothing else, neither in memory nor in
 * what the file has of segments.  Sets last and data_offset, and *end to the end of file
 * contents.  (ld.bfd gives .bss a segment of its own, without bytes, when its alignment leaves a
 * gap of pages.) */
static int check_segment(struct writer *w, size_t i, uint64_t *end)
{
  const struct urf_note *note = &w->lib->note;
  const GElf_Phdr *p = &w->segments[i];
  if (p->p_type != PT_LOAD || !p->p_memsz)
    return 0;
  if (p->p_offset > w->size || p->p_filesz > w->size - p->p_offset || p->p_filesz > p->p_memsz ||
      p->p_vaddr + p->p_memsz < p->p_vaddr)
    return write_refuse(w, "a segment is not inside the file, or of an impossible size");
  if (p->p_vaddr + p->p_memsz > round_up(note->heap + note->heap_reserve, 8) + TABLE_RESERVE)
    return refuse_behind(w, note->heap + note->heap_reserve + TABLE_RESERVE);
  if (note->data >= p->p_vaddr && note->data - p->p_vaddr < p->p_filesz) {
    w->last = i;
    w->data_offset = p->p_offset + (note->data - p->p_vaddr);
  } else if (p->p_filesz && (w->data_offset || p->p_vaddr > note->data))
    return write_refuse(w, "the region (.data .bss .urf.heap) is in pieces, or not the last thing");
  if (p->p_vaddr + p->p_filesz > note->data + w->plan->size)
    return write_refuse(w, "the heap is in the file already");
  if (p->p_filesz && p->p_offset + p->p_filesz > *end)
    *end = p->p_offset + p->p_filesz;
  return 0;
}

static int read_segments(struct writer *w)
{
  uint64_t end = 0, end_before = 0;
  if (elf_getphdrnum(w->elf, &w->n_segments) || !w->n_segments)
    return write_refuse(w, "it has no program headers");
  w->segments = xalloc(w->n_segments * sizeof *w->segments);
  for (size_t i = 0; i < w->n_segments; i++) {
    if (!gelf_getphdr(w->elf, (int)i, &w->segments[i]))
      return fail_elf(w->e, REFUSED, w->lib->path, "program header");
    if (!w->data_offset)
      end_before = end;
    if (check_segment(w, i, &end))
      return -1;
  }
  if (!w->data_offset || end_before > w->data_offset)
    return write_refuse(w, "the region (.data .bss .urf.heap) is not at the end of the file");
  return check_unchanged(w, end);
}

/* The head's offset of size bytes that the dynamic linker sees at address. */
int write_find(struct writer *w, const char *what, uint64_t address, uint64_t size, uint64_t *out)
{
  for (size_t i = 0; i < w->n_segments; i++) {
    const GElf_Phdr *p = &w->segments[i];
    uint64_t at = address - p->p_vaddr;
    if (p->p_type != PT_LOAD || address < p->p_vaddr || at > p->p_filesz)
      continue;
    *out = p->p_offset + at;
    if (size <= p->p_filesz - at && *out <= w->data_offset && size <= w->data_offset - *out)
      return 0;
  }
  return fail(w->e, REFUSED, "%s: cannot be frozen: %s is not in front of .data", w->lib->path,
              what);
}

/* The last that is put into the head, and makes the table the file's. */
static void put_note(struct writer *w, uint64_t offset)
{
  const struct table *t = w->table;
  struct urf_note n = w->lib->note;
  n.flags |= URF_FROZEN | (w->plan->fixed ? URF_FIXED : 0) | (w->plan->page_seen ? URF_PAGES : 0);
  n.machine = w->lib->machine->number;
  n.heap_end = n.data + w->plan->size;
  n.align = w->plan->align;
  n.table = w->tail_address;
  n.table_size = w->tail.n;
  n.relr = t->relr, n.relr_size = t->relr_size;
  n.stretches = t->stretches, n.n_stretches = t->n_stretches;
  n.odd = t->odd, n.odd_size = t->odd_size;
  n.rotated = t->rotated, n.rotated_size = t->rotated_size;
  n.imports = t->imports, n.n_imports = t->n_imports;
  n.protections = t->protections, n.n_protections = t->n_protections;
  n.origin = w->origin, n.origin_size = w->tail.n - w->origin;
  n.n_pointers = t->n_pointers, n.n_odd = t->n_odd, n.n_rotated = t->n_rotated;
  n.n_import_sites = t->n_import_sites;
  n.image_hash[0] = n.image_hash[1] = 0; /* see put_hash */
  n.input_hash[0] = w->lib->hash[0], n.input_hash[1] = w->lib->hash[1];
  memset(n.tool, 0, sizeof n.tool);
  memcpy(n.tool, TURF_VERSION, sizeof TURF_VERSION);
  _Static_assert(sizeof TURF_VERSION <= sizeof n.tool, "the version fits into the note");
  n.recipe = t->recipe, n.recipe_size = t->recipe_size;
  n.fallback = t->fallback;
  memcpy(n.cpu, w->plan->cpu, sizeof n.cpu);
  order_turn_table(w->lib->form, w->tail.at, &n, true);
  order_turn(w->lib->form, RECORD_NOTE, &n, 1);
  memcpy(w->head + offset, &n, sizeof n);
}

bool write_is_outside(const GElf_Phdr *p)
{
  return p->p_type != PT_LOAD && p->p_filesz && !p->p_memsz;
}

/* One segment from the region on, with all its bytes in the file, and the table, too.
 *
 * Both alignments are a request only, which the loader checks: where address and file offset are
 * not congruent it cannot be made without moving bytes, and debug information would go wrong. */
static int put_segments(struct writer *w)
{
  GElf_Phdr *last = &w->segments[w->last], none = {0};
  /* for a small image the dynamic linker's way to an aligned address costs more than it gives */
  const uint64_t wanted[] = {w->plan->size < HUGE_PAGE ? 0 : HUGE_PAGE, w->plan->align};
  for (size_t i = 0; i < w->n_segments; i++) {
    GElf_Phdr *p = &w->segments[i];
    const bool follows = i > w->last && p->p_type == PT_LOAD;
    if (follows && p->p_align > last->p_align)
      last->p_align = p->p_align;
    if ((follows || write_is_outside(p)) &&
        !gelf_update_phdr(w->elf, (int)i, follows ? &none : p)) /* PT_NULL */
      return fail_elf(w->e, SYSTEM, w->lib->path, "program header");
  }
  last->p_filesz = last->p_memsz = w->tail_address + w->tail.n - last->p_vaddr;
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
    if (wanted[i] > last->p_align && (last->p_vaddr - last->p_offset) % wanted[i] == 0)
      last->p_align = wanted[i];
  if (last->p_align > 1 && (last->p_vaddr - last->p_offset) % last->p_align)
    return write_refuse(w, "its file offsets do not fit its alignment; link it with -T urf.ld");
  if (!gelf_update_phdr(w->elf, (int)w->last, last))
    return fail_elf(w->e, SYSTEM, w->lib->path, "program header");
  void *form = is32(w) ? (void *)elf32_getphdr(w->elf) : (void *)elf64_getphdr(w->elf);
  return write_form(w, form, ELF_T_PHDR, gelf_fsize(w->elf, ELF_T_PHDR, w->n_segments, EV_CURRENT),
                    w->head + w->ehdr.e_phoff);
}

/* Of all that will be mapped, now that nothing of it changes any more. */
static int put_hash(struct writer *w, uint64_t note_offset)
{
  static const unsigned char gap[TABLE_ALIGN];
  if (put_plain_ehdr(w))
    return -1;
  XXH3_state_t *state = xcheck(XXH3_createState());
  XXH3_128bits_reset(state);
  XXH3_128bits_update(state, w->head, w->data_offset);
  XXH3_128bits_update(state, w->plan->image, w->plan->size);
  XXH3_128bits_update(state, gap, w->tail_address - (w->lib->note.data + w->plan->size));
  XXH3_128bits_update(state, w->tail.at, w->tail.n);
  XXH128_hash_t hash = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  uint64_t stored[2] = {hash.low64, hash.high64};
  order_turn(w->lib->form, RECORD_NUMBER, stored, 2);
  memcpy(w->head + note_offset + offsetof(struct urf_note, image_hash), stored, sizeof stored);
  return put_ehdr(w, &w->ehdr);
}

static int put(struct writer *w, uint64_t offset, const unsigned char *at, size_t n)
{
  while (n) {
    ssize_t done = pwrite(w->out, at, n, (off_t)offset);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return fail_errno(w->e, w->output, "cannot be written");
    at += done;
    n -= (size_t)done;
    offset += (uint64_t)done;
  }
  return 0;
}

/* Blocks of zeros become holes of the new file. */
static int put_sparse(struct writer *w, uint64_t offset, const unsigned char *at, uint64_t n)
{
  static const unsigned char zero[BLOCK];
  uint64_t start = 0, i = 0, end;
  for (; i < n; i = end) {
    end = round_up(offset + i + 1, BLOCK) - offset;
    end = end < n ? end : n;
    if (memcmp(at + i, zero, end - i) != 0)
      continue;
    if (put(w, offset + start, at + start, i - start))
      return -1;
    start = end;
  }
  return put(w, offset + start, at + start, n - start);
}

static int create_output(struct writer *w, char **temporary)
{
  const char *base = strrchr(w->output, '/');
  base = base ? base + 1 : w->output;
  /* a name may have 255 bytes */
  char *name = xprintf("%.*s.%.200s.XXXXXX", (int)(base - w->output), w->output, base);
  w->out = mkostemp(name, O_CLOEXEC);
  if (w->out < 0) {
    free(name);
    return fail_errno(w->e, w->output, "cannot be created");
  }
  *temporary = name;
  if (fchmod(w->out, w->mode))
    return fail_errno(w->e, w->output, "cannot be given the mode of the input");
  return 0;
}

/* Of a section that is mapped: only the region moves or grows, only tables shrink. */
static void place_mapped(struct writer *w, size_t index, GElf_Shdr *sh)
{
  const struct urf_note *note = &w->lib->note;
  if ((sh->sh_type == SHT_RELA || sh->sh_type == SHT_REL) && sh->sh_addr == w->rela.address &&
      sh->sh_size == w->rela.size)
    sh->sh_size = w->rela.left;
  if (sh->sh_type == SHT_RELR && sh->sh_addr == w->relr.address)
    sh->sh_size = w->relr.left;
  if (sh->sh_type == SHT_INIT_ARRAY && sh->sh_addr == w->init.address) {
    sh->sh_size = w->init.left;
    w->init_index = index;
  }
  if (sh->sh_addr < note->data || sh->sh_flags & SHF_TLS)
    return;
  if (sh->sh_type == SHT_NOBITS)
    sh->sh_type = SHT_PROGBITS;
  if (sh->sh_addr == note->heap)
    sh->sh_size = w->plan->size - (note->heap - note->data);
  if (sh->sh_addr >= note->heap + note->heap_reserve) {
    sh->sh_addr = w->tail_address;
    sh->sh_size = w->tail.n;
    sh->sh_addralign = TABLE_ALIGN;
  }
  sh->sh_offset = w->data_offset + (sh->sh_addr - note->data);
}

static bool moves(const GElf_Shdr *sh)
{
  return !(sh->sh_flags & SHF_ALLOC) && sh->sh_type != SHT_NOBITS && sh->sh_type != SHT_NULL;
}

/* No symbol may point behind the end of its section: those of .urf.table, which some linkers make,
 * or the ABI wants ($d of the Arm ones), and those of .init_array's other entries. */
static bool move_symbol(const struct writer *w, GElf_Sym *sym)
{
  const struct urf_note *note = &w->lib->note;
  if (sym->st_shndx && sym->st_shndx == w->init_index &&
      sym->st_value - w->init.address >= w->init.left) {
    sym->st_value = w->init.address + w->init.left;
    sym->st_size = 0;
    return true;
  }
  if (GELF_ST_BIND(sym->st_info) != STB_LOCAL || !sym->st_shndx || sym->st_shndx >= SHN_LORESERVE ||
      sym->st_value < note->heap + note->heap_reserve)
    return false;
  sym->st_value = w->tail_address;
  return true;
}

static int move_symbols(struct writer *w, Elf_Scn *scn, const GElf_Shdr *sh)
{
  Elf_Data *data = elf_getdata(scn, NULL);
  GElf_Sym sym;
  if (!data)
    return fail_elf(w->e, REFUSED, w->lib->path, "symbol table");
  for (int i = 0; gelf_getsym(data, i, &sym); i++)
    if (move_symbol(w, &sym) && !gelf_update_sym(data, i, &sym))
      return fail_elf(w->e, SYSTEM, w->lib->path, "symbol table");
  return write_form(w, data->d_buf, ELF_T_SYM, data->d_size, w->head + sh->sh_offset);
}

static void move_segments(struct writer *w, const GElf_Shdr *sh, uint64_t offset)
{
  for (GElf_Phdr *p = w->segments; p < w->segments + w->n_segments; p++)
    if (write_is_outside(p) && p->p_offset == sh->sh_offset && p->p_filesz == sh->sh_size)
      p->p_offset = offset;
}

/* Of a section that is not mapped: it follows what is already there. */
static int put_section(struct writer *w, Elf_Scn *scn, GElf_Shdr *sh, const char *more)
{
  size_t extra = more ? strlen(more) + 1 : 0;
  uint64_t offset = round_up(w->at, sh->sh_addralign <= BLOCK ? sh->sh_addralign : BLOCK);
  if (sh->sh_offset > w->size || sh->sh_size > w->size - sh->sh_offset)
    return write_refuse(w, "a section ends behind the end of the file");
  if (sh->sh_type == SHT_SYMTAB && move_symbols(w, scn, sh))
    return -1;
  if (put_sparse(w, offset, w->head + sh->sh_offset, sh->sh_size) ||
      put(w, offset + sh->sh_size, (const unsigned char *)more, extra))
    return -1;
  move_segments(w, sh, offset);
  sh->sh_offset = offset;
  sh->sh_size += extra;
  w->at = offset + sh->sh_size;
  return 0;
}

struct order {
  uint64_t offset;
  size_t index;
};

static int compare_order(const void *a, const void *b)
{
  const struct order *x = a, *y = b;
  if (x->offset != y->offset)
    return x->offset < y->offset ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

/* A .bss with contents is nothing that tools expect: it gets another name, added to the others. */
static int place_section(struct writer *w, size_t index, size_t names, const GElf_Shdr *strings,
                         struct order *order)
{
  Elf_Scn *scn = elf_getscn(w->elf, index);
  GElf_Shdr sh;
  if (!gelf_getshdr(scn, &sh))
    return fail_elf(w->e, REFUSED, w->lib->path, "section header");
  *order = (struct order){sh.sh_offset, index};
  if (!(sh.sh_flags & SHF_ALLOC))
    return 0;
  const char *name = elf_strptr(w->elf, names, sh.sh_name);
  if (sh.sh_type == SHT_NOBITS && name && !strcmp(name, ".bss") && moves(strings)) {
    sh.sh_name = (GElf_Word)strings->sh_size;
    w->added_name = ".urf.bss";
  }
  place_mapped(w, index, &sh);
  if (!gelf_update_shdr(scn, &sh))
    return fail_elf(w->e, SYSTEM, w->lib->path, "section header");
  return 0;
}

/* In the order they had. */
static int put_sections(struct writer *w, size_t n, size_t names)
{
  struct order *order = xalloc(n * sizeof *order);
  GElf_Shdr sh, strings;
  int result = 0;
  if (!gelf_getshdr(elf_getscn(w->elf, names), &strings))
    result = fail_elf(w->e, REFUSED, w->lib->path, "names of sections");
  for (size_t i = 0; i < n && !result; i++)
    result = place_section(w, i, names, &strings, &order[i]);
  if (!result)
    qsort(order, n, sizeof *order, compare_order);
  for (size_t i = 0; i < n && !result; i++) {
    Elf_Scn *scn = elf_getscn(w->elf, order[i].index);
    if (!gelf_getshdr(scn, &sh) || !moves(&sh))
      continue;
    result = put_section(w, scn, &sh, order[i].index == names ? w->added_name : NULL);
    if (!result && !gelf_update_shdr(scn, &sh))
      result = fail_elf(w->e, SYSTEM, w->lib->path, "section header");
  }
  free(order);
  return result;
}

/* The section headers and what only they know of; a file may do without. */
static int put_rest(struct writer *w)
{
  size_t n, names;
  int result = 0;
  if (elf_getshdrnum(w->elf, &n) || elf_getshdrstrndx(w->elf, &names))
    return fail_elf(w->e, REFUSED, w->lib->path, "section headers");
  if (!n)
    return 0;
  if (put_sections(w, n, names))
    return -1;
  size_t size = gelf_fsize(w->elf, ELF_T_SHDR, 1, EV_CURRENT);
  unsigned char *table = xalloc(n * size);
  for (size_t i = 0; i < n && !result; i++) {
    Elf_Scn *scn = elf_getscn(w->elf, i);
    void *form = is32(w) ? (void *)elf32_getshdr(scn) : (void *)elf64_getshdr(scn);
    result = write_form(w, form, ELF_T_SHDR, size, table + i * size);
  }
  w->ehdr.e_shoff = round_up(w->at, 8);
  w->at = w->ehdr.e_shoff + n * size;
  if (!result)
    result = put(w, w->ehdr.e_shoff, table, n * size);
  free(table);
  return result;
}

/* The head changes until the end, so it comes last. */
static int put_all(struct writer *w)
{
  const uint64_t tail = w->data_offset + (w->tail_address - w->lib->note.data);
  if (put_sparse(w, w->data_offset, w->plan->image, w->plan->size) ||
      put(w, tail, w->tail.at, w->tail.n) || put_ehdr(w, &w->ehdr) ||
      put_sparse(w, 0, w->head, w->data_offset))
    return -1;
  if (ftruncate(w->out, (off_t)w->at))
    return fail_errno(w->e, w->output, "cannot be written");
  return 0;
}

static int convert(struct writer *w, char **temporary)
{
  const struct urf_note *note = &w->lib->note;
  uint64_t note_offset;
  w->tail_address = round_up(note->data + w->plan->size, TABLE_ALIGN);
  if (open_input(w) || read_segments(w) ||
      write_find(w, ".note.urf", note->self, sizeof *note, &note_offset) || write_dynamic(w) ||
      write_tail(w))
    return -1;
  put_note(w, note_offset);
  w->at = w->data_offset + (w->tail_address - note->data) + w->tail.n;
  if (create_output(w, temporary) || put_rest(w) || put_segments(w) || put_hash(w, note_offset))
    return -1;
  return put_all(w);
}

int write_frozen(const struct library *lib, const struct plan *plan, const struct table *t,
                 const char *output, char **temporary, struct error *e)
{
  struct writer w = {.lib = lib,
                     .plan = plan,
                     .table = t,
                     .output = output,
                     .e = e,
                     .in = -1,
                     .out = -1,
                     .old = MAP_FAILED,
                     .head = MAP_FAILED};
  int result = convert(&w, temporary);
  if (w.out >= 0 && close(w.out) && !result)
    result = fail_errno(e, output, "cannot be written");
  elf_end(w.elf);
  if (w.old != MAP_FAILED)
    munmap(w.old, w.size);
  if (w.head != MAP_FAILED)
    munmap(w.head, w.size);
  if (w.in >= 0)
    close(w.in);
  free(w.segments);
  free(w.tail.at);
  return result;
}

/* Some file systems cannot; nothing is lost then that could be kept. */
static int sync_file(const char *path, int flags)
{
  int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  int result = fsync(fd) && errno != EINVAL ? -1 : 0, cause = errno;
  if (close(fd) && !result)
    return -1;
  errno = cause;
  return result;
}

int write_commit(const char *temporary, const char *output, struct error *e)
{
  char *copy = xstrdup(output);
  int result = 0;
  if (sync_file(temporary, 0) || rename(temporary, output))
    result = fail_errno(e, output, "cannot be written");
  else
    (void)sync_file(dirname(copy), O_DIRECTORY); /* the file is there; it may not be ours to read */
  free(copy);
  return result;
}
