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
#include <gelf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "reloc.h"
#include "turf.h"

#define BLOCK 4096u               /* the smallest hole worth leaving */
#define HUGE_PAGE 0x200000u
#define TABLE_ALIGN 16u
#define MERGE 32u                 /* original bytes that stand closer become one piece: two headers
                                     of a piece and their padding are as long */

/* A table of the dynamic linker, by DT_ entries; size 0 when there is none. */
struct part {
  uint64_t address, size;
  uint64_t left;                  /* bytes of it that stay */
};

/* Bytes of the input that the output has not. */
struct run {
  uint64_t address;
  const unsigned char *at;
  uint64_t size;
};

struct runs {
  LIST(struct run) list;
};

struct writer {
  const struct library *lib;
  const struct plan *plan;
  const struct table *table;
  const char *output;
  struct error *e;
  int in, out;
  Elf *elf;                       /* conversions, never written by libelf */
  GElf_Ehdr ehdr;
  GElf_Phdr *segments;
  size_t n_segments, last;        /* the segment with the region */
  mode_t mode;
  size_t size;                    /* of the input */
  unsigned char *old, *head;      /* the input, as it is and to be patched */
  uint64_t data_offset;
  Elf_Data *dynamic;
  uint64_t dynamic_offset;
  struct part rela, relr, init;
  uint64_t n_relative;            /* at the start of rela */
  struct bytes tail;              /* .urf.table */
  uint64_t tail_address, origin;  /* its address; offset of struct urf_origin in it */
  uint64_t at;                    /* end of the output so far */
};

static int damaged(struct writer *w, const char *what)
{
  return fail(w->e, REFUSED, "%s: cannot be frozen: %s", w->lib->path, what);
}

/* The one place that would have to know of a byte order other than this machine's. */
static void store(void *out, const void *in, size_t n)
{
  memcpy(out, in, n);
}

static uint64_t round_up(uint64_t n, uint64_t align)
{
  return align ? n + (align - n % align) % align : n;
}

/* Puts n things in memory form to their place in the head. */
static int put_form(struct writer *w, void *from, Elf_Type type, size_t size, void *to)
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
  return put_form(w, form, ELF_T_EHDR, gelf_fsize(w->elf, ELF_T_EHDR, 1, EV_CURRENT), w->head);
}

/* What the reader read is what is written; the mappings see later changes of the file, or not. */
static int check_unchanged(struct writer *w, uint64_t end)
{
  GElf_Ehdr ehdr = w->ehdr;
  ehdr.e_shoff = ehdr.e_shnum = ehdr.e_shstrndx = 0;
  if (put_ehdr(w, &ehdr))
    return -1;
  XXH128_hash_t hash = XXH3_128bits(w->head, end);
  if (hash.low64 != w->lib->hash[0] || hash.high64 != w->lib->hash[1])
    return fail(w->e, SYSTEM, "%s: was changed by someone else during the freeze", w->lib->path);
  return 0;
}

static int open_input(struct writer *w)
{
  const char *path = w->lib->path;
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

/* Finds the region and makes sure that it stands where urf.ld puts it: at the end. */
static int read_segments(struct writer *w)
{
  const struct urf_note *note = &w->lib->note;
  uint64_t end = 0, behind = note->heap + note->heap_reserve;
  if (elf_getphdrnum(w->elf, &w->n_segments) || !w->n_segments)
    return damaged(w, "it has no program headers");
  w->segments = xalloc(w->n_segments * sizeof *w->segments);
  w->last = w->n_segments;
  for (size_t i = 0; i < w->n_segments; i++) {
    GElf_Phdr *p = &w->segments[i];
    if (!gelf_getphdr(w->elf, (int)i, p))
      return fail_elf(w->e, REFUSED, w->lib->path, "program header");
    if (p->p_type != PT_LOAD)
      continue;
    if (p->p_offset > w->size || p->p_filesz > w->size - p->p_offset)
      return damaged(w, "a segment ends behind the end of the file");
    end = p->p_offset + p->p_filesz > end ? p->p_offset + p->p_filesz : end;
    w->last = i;
  }
  GElf_Phdr *last = w->last < w->n_segments ? &w->segments[w->last] : NULL;
  if (!last || note->data < last->p_vaddr || note->data - last->p_vaddr > last->p_filesz ||
      last->p_offset + last->p_filesz != end)
    return damaged(w, "the region (.data .bss .urf.heap) is not in its last segment");
  w->data_offset = last->p_offset + (note->data - last->p_vaddr);
  /* .urf.table has 8 bytes, see loader/state.c */
  if (last->p_vaddr + last->p_memsz > round_up(behind, 8) + 8)
    return damaged(w, "something stands behind .urf.heap; a section that urf.ld does not know?");
  return check_unchanged(w, end);
}

/* The head's offset of size bytes that the dynamic linker sees at address. */
static int find(struct writer *w, const char *what, uint64_t address, uint64_t size, uint64_t *out)
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
  return fail(w->e, REFUSED, "%s: cannot be frozen: %s is not in front of the region", w->lib->path,
              what);
}

/* In memory form; NULL and an error when it cannot be had. */
static Elf_Data *get_table(struct writer *w, const char *what, const struct part *part,
                           Elf_Type type, uint64_t *offset)
{
  Elf_Data *data;
  if (find(w, what, part->address, part->size, offset))
    return NULL;
  /* gelf_get* count with an int */
  if (part->size / w->lib->word > INT_MAX) {
    (void)damaged(w, "a table of the dynamic linker is too large");
    return NULL;
  }
  data = elf_getdata_rawchunk(w->elf, (int64_t)*offset, part->size, type);
  if (!data)
    (void)fail_elf(w->e, REFUSED, w->lib->path, what);
  return data;
}

static int read_dynamic(struct writer *w)
{
  struct part whole = {0};
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
    case DT_RELA: w->rela.address = dyn.d_un.d_ptr; break;
    case DT_RELASZ: w->rela.size = dyn.d_un.d_val; break;
    case DT_RELR: w->relr.address = dyn.d_un.d_ptr; break;
    case DT_RELRSZ: w->relr.size = dyn.d_un.d_val; break;
    case DT_INIT_ARRAY: w->init.address = dyn.d_un.d_ptr; break;
    case DT_INIT_ARRAYSZ: w->init.size = dyn.d_un.d_val; break;
    default: break;
    }
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
  const struct site *site = w->plan->sites.n
                                ? bsearch(&offset, w->plan->sites.at, w->plan->sites.n,
                                          sizeof *w->plan->sites.at, compare_site)
                                : NULL;
  return !site || !site->by_ldso;
}

/* The constructors have run: the loader's own, which urf.ld puts first, is the only one to stay. */
static int cut_init_array(struct writer *w)
{
  uint64_t offset;
  if (!w->dynamic)
    return 0;
  if (w->init.address != w->lib->note.init_array || w->init.size < w->lib->word)
    return damaged(w, ".init_array does not start with the loader; was it linked with -T urf.ld?");
  w->init.left = w->lib->word;
  if (find(w, ".init_array", w->init.address, w->init.size, &offset))
    return -1;
  memset(w->head + offset + w->init.left, 0, w->init.size - w->init.left);
  return 0;
}

/* Left out rather than turned into NONE, which has no place in a shared object. */
static int filter_rela(struct writer *w)
{
  uint64_t offset;
  GElf_Rela r;
  int n = 0;
  if (!w->rela.size)
    return 0;
  Elf_Data *data = get_table(w, ".rela.dyn", &w->rela, ELF_T_RELA, &offset);
  if (!data)
    return -1;
  for (int i = 0; gelf_getrela(data, i, &r); i++) {
    if (dropped(w, r.r_offset))
      continue;
    if (GELF_R_TYPE(r.r_info) == R_RELATIVE && w->n_relative == (uint64_t)n)
      w->n_relative++;
    if (!gelf_update_rela(data, n++, &r))
      return fail_elf(w->e, SYSTEM, w->lib->path, ".rela.dyn");
  }
  w->rela.left = gelf_fsize(w->elf, ELF_T_RELA, (size_t)n, EV_CURRENT);
  memset((char *)data->d_buf + w->rela.left, 0, data->d_size - w->rela.left);
  return put_form(w, data->d_buf, ELF_T_RELA, data->d_size, w->head + offset);
}

/* RELR (gABI): an address, or a bitmap (lowest bit set) of the words behind what came before. */
struct relr {
  struct bytes out;
  unsigned word;
  uint64_t next, bits;            /* of the bitmap not yet put: first address, bits from bit 0 */
};

static void put_word(struct relr *r, uint64_t n)
{
  uint32_t half = (uint32_t)n;
  put_bytes(&r->out, r->word == sizeof half ? (void *)&half : (void *)&n, r->word);
}

static uint64_t get_word(const Elf_Data *data, size_t i, unsigned word)
{
  uint64_t n = 0;
  uint32_t half;
  const char *at = (const char *)data->d_buf + i * word;
  if (word == sizeof n)
    return memcpy(&n, at, sizeof n), n;
  return memcpy(&half, at, sizeof half), half;
}

static void flush_bitmap(struct relr *r)
{
  if (!r->bits)
    return;
  put_word(r, r->bits << 1 | 1);
  r->next += (8 * r->word - 1) * (uint64_t)r->word;
  r->bits = 0;
}

static void add_relr(struct relr *r, uint64_t address)
{
  uint64_t covered = (8 * r->word - 1) * (uint64_t)r->word;
  if (address - r->next >= covered)
    flush_bitmap(r);
  if (r->out.n && address - r->next < covered && (address - r->next) % r->word == 0) {
    r->bits |= 1ull << (address - r->next) / r->word;
    return;
  }
  flush_bitmap(r);
  put_word(r, address);
  r->next = address + r->word;
}

/* Packed again, as tightly as it goes, the rest is no longer than the whole was. */
static int filter_relr(struct writer *w)
{
  struct relr r = {.word = w->lib->word};
  uint64_t offset, where = 0, entry;
  if (!w->relr.size)
    return 0;
  Elf_Data *data = get_table(w, ".relr.dyn", &w->relr, ELF_T_ADDR, &offset);
  if (!data)
    return -1;
  for (size_t i = 0; i < data->d_size / r.word; i++) {
    entry = get_word(data, i, r.word);
    if (!(entry & 1)) {
      if (!dropped(w, entry))
        add_relr(&r, entry);
      where = entry + r.word;
      continue;
    }
    for (uint64_t word = where; entry >>= 1; word += r.word)
      if (entry & 1 && !dropped(w, word))
        add_relr(&r, word);
    where += (8 * r.word - 1) * (uint64_t)r.word;
  }
  flush_bitmap(&r);
  w->relr.left = r.out.n;
  int result = r.out.n > data->d_size ? damaged(w, ".relr.dyn is not in order") : 0;
  if (!result) {
    memset(data->d_buf, 0, data->d_size);
    if (r.out.n)
      memcpy(data->d_buf, r.out.at, r.out.n);
    result = put_form(w, data->d_buf, ELF_T_ADDR, data->d_size, w->head + offset);
  }
  free(r.out.at);
  return result;
}

/* DT_INIT has run, too.  The array has DT_NULL at its end: as many as are needed. */
static int put_dynamic(struct writer *w)
{
  GElf_Dyn dyn = {0};
  int n = 0;
  if (!w->dynamic)
    return 0;
  for (int i = 0; gelf_getdyn(w->dynamic, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
    switch (dyn.d_tag) {
    case DT_INIT: continue;
    case DT_RELASZ: dyn.d_un.d_val = w->rela.left; break;
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
  return put_form(w, w->dynamic->d_buf, ELF_T_DYN, w->dynamic->d_size,
                  w->head + w->dynamic_offset);
}

/* Appends the bytes of a that b has not; they are one segment's, or part of it. */
static void find_runs(struct runs *runs, size_t first, uint64_t address, const unsigned char *a,
                      const unsigned char *b, uint64_t n)
{
  for (uint64_t i = 0, end; i < n; i = end) {
    end = n - i < BLOCK ? n : i + BLOCK;
    if (memcmp(a + i, b + i, end - i) == 0)
      continue;
    for (; i < end; i++) {
      struct run *r = runs->list.n > first ? &runs->list.at[runs->list.n - 1] : NULL;
      if (a[i] == b[i])
        continue;
      if (!r || address + i - (r->address + r->size) >= MERGE) {
        r = PUSH(&runs->list);
        *r = (struct run){address + i, a + i, 0};
      }
      r->size = address + i + 1 - r->address;
    }
  }
}

static void put_piece(struct writer *w, const struct run *r)
{
  static const char zero[8];
  struct urf_origin piece = {r->address, r->size}, stored;
  store(&stored, &piece, sizeof piece);
  put_bytes(&w->tail, &stored, sizeof stored);
  put_bytes(&w->tail, r->at, r->size);
  put_bytes(&w->tail, zero, round_up(r->size, 8) - r->size);
}

/* The table, and behind it what of the input is not in the output. */
static int make_tail(struct writer *w, uint64_t note_offset)
{
  static const char zero[8];
  struct runs runs = {0};
  uint64_t headers =
      w->ehdr.e_phoff + gelf_fsize(w->elf, ELF_T_PHDR, w->n_segments, EV_CURRENT);
  const GElf_Phdr *p = w->segments;
  while (p->p_type != PT_LOAD)
    p++;
  if (p->p_offset || headers > p->p_filesz || headers > w->data_offset || headers > 0x10000)
    return damaged(w, "the program headers are not next to the ELF header");
  /* Their new bytes say how large the tail is: until they are put, make them differ throughout. */
  for (uint64_t i = 0; i < headers; i++)
    w->head[i] = (unsigned char)~w->old[i];
  for (uint64_t i = note_offset; i < note_offset + sizeof(struct urf_note); i++)
    w->head[i] = (unsigned char)~w->old[i];
  for (; p < w->segments + w->n_segments; p++) {
    uint64_t end = p->p_offset + p->p_filesz, at = w->data_offset;
    size_t first = runs.list.n;
    if (p->p_type != PT_LOAD)
      continue;
    find_runs(&runs, first, p->p_vaddr, w->old + p->p_offset, w->head + p->p_offset,
              (end < at ? end : at) - p->p_offset);
    if (end > at)
      find_runs(&runs, first, w->lib->note.data, w->old + at, w->plan->image, end - at);
  }
  put_bytes(&w->tail, w->table->bytes.at, w->table->bytes.n);
  put_bytes(&w->tail, zero, round_up(w->tail.n, 8) - w->tail.n);
  w->origin = w->tail.n;
  for (size_t i = 0; i < runs.list.n; i++)
    put_piece(w, &runs.list.at[i]);
  free(runs.list.at);
  return 0;
}

static void put_note(struct writer *w, uint64_t offset)
{
  const struct table *t = w->table;
  struct urf_note n = w->lib->note;
  XXH128_hash_t hash = XXH3_128bits(w->plan->image, w->plan->size);
  n.flags |= URF_FROZEN;
  n.machine = w->lib->machine;
  n.heap_end = n.data + w->plan->size;
  n.align = w->plan->align;
  n.table = w->tail_address;
  n.table_size = w->tail.n;
  n.relr = t->relr, n.relr_size = t->relr_size;
  n.odd = t->odd, n.odd_size = t->odd_size;
  n.imports = t->imports, n.n_imports = t->n_imports;
  n.protections = t->protections, n.n_protections = t->n_protections;
  n.origin = w->origin, n.origin_size = w->tail.n - w->origin;
  n.n_pointers = t->n_pointers, n.n_odd = t->n_odd, n.n_import_sites = t->n_import_sites;
  n.image_hash[0] = hash.low64, n.image_hash[1] = hash.high64;
  n.input_hash[0] = w->lib->hash[0], n.input_hash[1] = w->lib->hash[1];
  memset(n.tool, 0, sizeof n.tool);
  memcpy(n.tool, TURF_VERSION, sizeof TURF_VERSION);
  _Static_assert(sizeof TURF_VERSION <= sizeof n.tool, "the version fits into the note");
  n.recipe = t->recipe, n.recipe_size = t->recipe_size;
  store(w->head + offset, &n, sizeof n);
}

/* Both alignments are a request only, which the loader checks: where address and file offset are not
 * congruent it cannot be made without moving bytes, and debug information would go wrong. */
static int put_segments(struct writer *w)
{
  GElf_Phdr *last = &w->segments[w->last];
  const uint64_t wanted[] = {HUGE_PAGE, w->plan->align};
  last->p_filesz = last->p_memsz = w->tail_address + w->tail.n - last->p_vaddr;
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
    if (wanted[i] > last->p_align && (last->p_vaddr - last->p_offset) % wanted[i] == 0)
      last->p_align = wanted[i];
  if (!gelf_update_phdr(w->elf, (int)w->last, last))
    return fail_elf(w->e, SYSTEM, w->lib->path, "program header");
  void *form = is32(w) ? (void *)elf32_getphdr(w->elf) : (void *)elf64_getphdr(w->elf);
  return put_form(w, form, ELF_T_PHDR, gelf_fsize(w->elf, ELF_T_PHDR, w->n_segments, EV_CURRENT),
                  w->head + w->ehdr.e_phoff);
}
