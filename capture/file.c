/* ELF files by their program headers. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>

#include "file.h"

/* elf_errno clears what it returns, elf_errmsg(-1) does not: ask once. */
int fail_elf(struct error *e, enum status status, const char *file, const char *what)
{
  return fail(e, status, "%s: %s: %s", file, what, elf_errmsg(-1));
}

#define VERSION_INDEX 0x7fff /* of a versym; the highest bit is "hidden" */

int file_damaged(const struct elf_file *f, const char *what)
{
  return fail(f->e, REFUSED, "%s: is damaged: %s; build or copy it again", f->path, what);
}

static int truncated(const struct elf_file *f, const char *what)
{
  return fail(f->e, REFUSED, "%s: is truncated: %s behind its end; build or copy it again", f->path,
              what);
}

/* Those that are known, with commas between. */
static char *machine_names(void)
{
  struct bytes names = {0};
  const struct machine *m;
  for (size_t i = 0; (m = machine_at(i)); i++) {
    put_bytes(&names, ", ", i ? 2 : 0);
    put_bytes(&names, m->name, strlen(m->name));
  }
  put_bytes(&names, "", 1);
  return (char *)names.at;
}

static int foreign(const struct elf_file *f, const unsigned char *ident, unsigned number)
{
  char *names = machine_names();
  fail(f->e, REFUSED,
       "%s: is for a machine that this turf does not know (e_machine %u, %u bits, %s-endian); it "
       "knows %s: build the library for one of those",
       f->path, number, ident[EI_CLASS] == ELFCLASS32 ? 32 : 64,
       ident[EI_DATA] == ELFDATA2MSB ? "big" : "little", names);
  free(names);
  return -1;
}

int file_read(const struct elf_file *f, uint64_t offset, void *out, size_t n)
{
  unsigned char *to = out;
  while (n) {
    ssize_t done = pread(f->fd, to, n, (off_t)offset);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return fail_errno(f->e, f->path, "cannot be read");
    if (!done)
      return fail(f->e, SYSTEM, "%s: cannot be read: someone else made it shorter", f->path);
    to += done;
    offset += (uint64_t)done;
    n -= (size_t)done;
  }
  return 0;
}

static int open_regular(struct elf_file *f)
{
  struct stat st;
  f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* do not wait for a FIFO's writer */
  if (f->fd < 0 || fstat(f->fd, &st))
    return fail_errno(f->e, f->path, "cannot be opened");
  if (S_ISDIR(st.st_mode)) {
    errno = EISDIR;
    return fail_errno(f->e, f->path, "cannot be read");
  }
  f->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
  return 0;
}

/* What linkers take for a library, too. */
static int no_elf(const struct elf_file *f, const char *start)
{
  static const struct {
    const char *start, *what;
  } kinds[] = {{"!<arch>", "is an archive of object files"},
               {"!<thin>", "is an archive of object files"},
               {"/* GNU ld script", "is a linker script, which names libraries"},
               {"BC\xc0\xde", "has code that the linker is still to compile (-flto)"}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strncmp(start, kinds[i].start, strlen(kinds[i].start)) == 0)
      return fail(f->e, REFUSED, "%s: %s; name a library linked with cc -shared ... -T urf.ld",
                  f->path, kinds[i].what);
  return fail(f->e, REFUSED, "%s: is not an ELF file; name a library linked with -T urf.ld",
              f->path);
}

/* Before libelf, which takes archives and other orders, too, and says less of what is wrong: the start of the
 * header, which all classes have in common, up to e_machine. */
static int check_ident(struct elf_file *f)
{
  enum { MACHINE = EI_NIDENT + 2, START = MACHINE + 2 };
  unsigned char start[START] = {0};
  if (file_read(f, 0, start, f->size < sizeof start ? (size_t)f->size : sizeof start))
    return -1;
  if (memcmp(start, ELFMAG, SELFMAG) != 0)
    return no_elf(f, (const char *)start);
  if (f->size < sizeof start)
    return truncated(f, "the ELF header ends");
  if ((start[EI_CLASS] != ELFCLASS32 && start[EI_CLASS] != ELFCLASS64) ||
      (start[EI_DATA] != ELFDATA2LSB && start[EI_DATA] != ELFDATA2MSB) ||
      start[EI_VERSION] != EV_CURRENT)
    return file_damaged(f, "the start of its ELF header");
  const bool big = start[EI_DATA] == ELFDATA2MSB;
  const unsigned number = (unsigned)start[MACHINE + !big] << 8 | start[MACHINE + big];
  f->machine = machine_find(number, start[EI_CLASS], start[EI_DATA]);
  if (!f->machine)
    return foreign(f, start, number);
  return f->size < (start[EI_CLASS] == ELFCLASS64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr))
             ? truncated(f, "the ELF header ends")
             : 0;
}

static bool inside(const struct elf_file *f, uint64_t offset, uint64_t n, size_t size)
{
  return offset <= f->size && n <= (f->size - offset) / size;
}

/* ELF_C_READ rather than a mapping: nobody can take the bytes away from under the reader. */
static int check_header(struct elf_file *f)
{
  size_t n_sections;
  if (elf_version(EV_CURRENT) == EV_NONE)
    return fail_elf(f->e, SYSTEM, f->path, "cannot be read");
  f->elf = elf_begin(f->fd, ELF_C_READ, NULL);
  if (!f->elf || !gelf_getehdr(f->elf, &f->ehdr))
    return file_damaged(f, elf_errmsg(-1));
  if (elf_getphdrnum(f->elf, &f->n_segments) || elf_getshdrnum(f->elf, &n_sections))
    return file_damaged(f, elf_errmsg(-1));
  if (n_sections < f->ehdr.e_shnum) /* libelf has none when they are not all there */
    n_sections = f->ehdr.e_shnum;
  if (!inside(f, f->ehdr.e_phoff, f->n_segments, gelf_fsize(f->elf, ELF_T_PHDR, 1, EV_CURRENT)))
    return truncated(f, "the program headers are");
  if (f->ehdr.e_shoff &&
      (!inside(f, f->ehdr.e_shoff, 0, 1) ||
       !inside(f, f->ehdr.e_shoff, n_sections, gelf_fsize(f->elf, ELF_T_SHDR, 1, EV_CURRENT))))
    return truncated(f, "the section headers are");
  return 0;
}

static int read_segments(struct elf_file *f)
{
  bool loaded = false;
  f->segments = xalloc(f->n_segments * sizeof *f->segments);
  for (size_t i = 0; i < f->n_segments; i++) {
    GElf_Phdr *p = &f->segments[i];
    if (!gelf_getphdr(f->elf, (int)i, p))
      return file_damaged(f, elf_errmsg(-1));
    /* Those of processors are in one that is loaded, or for tools: riscv64's attributes, which no copy has. */
    const bool needed = p->p_type != PT_NULL && !(p->p_type >= PT_LOPROC && p->p_type <= PT_HIPROC);
    if (needed && !inside(f, p->p_offset, p->p_filesz, 1))
      return truncated(f, "a segment ends");
    if (p->p_type != PT_LOAD)
      continue;
    if (p->p_filesz > p->p_memsz || p->p_memsz > UINT64_MAX - p->p_vaddr)
      return file_damaged(f, "a segment has an impossible size");
    loaded = loaded || p->p_memsz;
  }
  /* exit status and message are those of an object file, which has none */
  return loaded ? 0
                : fail(f->e, REFUSED,
                       "%s: is no shared library: it has no segments; link it with cc -shared ... "
                       "-T urf.ld",
                       f->path);
}

void file_clear_sections(unsigned char *header)
{
  Elf32_Ehdr *narrow = (void *)header;
  Elf64_Ehdr *wide = (void *)header;
  if (header[EI_CLASS] == ELFCLASS64)
    wide->e_shoff = wide->e_shentsize = wide->e_shnum = wide->e_shstrndx = 0;
  else
    narrow->e_shoff = narrow->e_shentsize = narrow->e_shnum = narrow->e_shstrndx = 0;
}

uint64_t file_at(const struct elf_file *f, uint64_t address, uint64_t *offset)
{
  for (size_t i = 0; i < f->n_segments; i++) {
    const GElf_Phdr *p = &f->segments[i];
    uint64_t skip = address - p->p_vaddr;
    if (p->p_type != PT_LOAD || address < p->p_vaddr || skip >= p->p_filesz)
      continue;
    *offset = p->p_offset + skip;
    return p->p_filesz - skip;
  }
  return 0;
}

bool file_tag(const struct elf_file *f, int64_t tag, int *i, uint64_t *value)
{
  GElf_Dyn dyn;
  while (f->dynamic && *i < INT_MAX && gelf_getdyn(f->dynamic, *i, &dyn) && dyn.d_tag != DT_NULL) {
    ++*i;
    if (dyn.d_tag != tag)
      continue;
    *value = dyn.d_un.d_val;
    return true;
  }
  return false;
}

int file_table(const struct elf_file *f, int64_t tag, int64_t size_tag, Elf_Type type,
               Elf_Data **out)
{
  uint64_t address, offset, size = 0, have;
  int i = 0, j = 0;
  *out = NULL;
  if (!file_tag(f, tag, &i, &address) || (size_tag && !file_tag(f, size_tag, &j, &size)) ||
      (size_tag && !size))
    return 0;
  have = file_at(f, address, &offset);
  if (!have || size > have)
    return file_damaged(f, "a table of the dynamic linker is in no segment");
  *out = elf_getdata_rawchunk(f->elf, (int64_t)offset, size_tag ? size : have, type);
  return *out ? 0 : file_damaged(f, elf_errmsg(-1));
}

const char *file_string(const struct elf_file *f, uint64_t offset)
{
  const char *s = f->strings ? (const char *)f->strings->d_buf : NULL;
  if (!s || offset >= f->strings->d_size || !memchr(s + offset, 0, f->strings->d_size - offset))
    return NULL;
  return s + offset;
}

static uint32_t word_at(const Elf_Data *table, uint64_t i)
{
  return (uint32_t)get_word((const char *)table->d_buf + i * 4, native(4));
}

/* How many symbols the hash tables tell of: of DT_GNU_HASH, up to the last of the last chain. */
static int count_by_hash(const struct elf_file *f, uint64_t *count)
{
  Elf_Data *hash, *gnu;
  if (file_table(f, DT_HASH, 0, ELF_T_WORD, &hash) ||
      file_table(f, DT_GNU_HASH, 0, ELF_T_WORD, &gnu))
    return -1;
  /* nchain, the second number; of 64 bits on s390x (ELF ABI supplement), the lower half last */
  const unsigned second = f->machine->number == EM_S390 ? 3 : 1;
  if (hash && hash->d_size >= (second + 1) * 4)
    *count = word_at(hash, second);
  if (!gnu || gnu->d_size < 16)
    return 0;
  uint64_t n = gnu->d_size / 4, first = word_at(gnu, 1), last = 0;
  uint64_t buckets = 4 + word_at(gnu, 2) * (uint64_t)(f->machine->class == ELFCLASS64 ? 2 : 1);
  uint64_t chains = buckets + word_at(gnu, 0);
  if (chains > n)
    return file_damaged(f, ".gnu.hash is too small");
  for (uint64_t i = buckets; i < chains; i++)
    if (word_at(gnu, i) > last)
      last = word_at(gnu, i);
  if (last < first)
    last = first - 1;
  else
    while (chains + (last - first) < n && !(word_at(gnu, chains + (last - first)) & 1))
      last++;
  if (last + 1 > *count)
    *count = last + 1;
  return 0;
}

int file_relocations(const struct elf_file *f, bool plt, Elf_Data **out)
{
  const bool rel = f->machine->in_place;
  return file_table(f,
                    plt   ? DT_JMPREL
                    : rel ? DT_REL
                          : DT_RELA,
                    plt   ? DT_PLTRELSZ
                    : rel ? DT_RELSZ
                          : DT_RELASZ,
                    rel ? ELF_T_REL : ELF_T_RELA, out);
}

/* Functions and variables are looked up without an addend: a slot of the PLT has another use for its word. */
static bool has_addend(const struct machine *m, const GElf_Rela *r)
{
  const unsigned type = (unsigned)GELF_R_TYPE(r->r_info);
  return type != m->glob_dat && type != m->jump_slot;
}

bool file_relocation(const struct elf_file *f, Elf_Data *table, int i, GElf_Rela *out)
{
  const struct form form = machine_form(f->machine);
  unsigned char bytes[8];
  uint64_t offset;
  GElf_Rel rel;
  if (!f->machine->in_place)
    return gelf_getrela(table, i, out) != NULL;
  if (!gelf_getrel(table, i, &rel))
    return false;
  *out = (GElf_Rela){.r_offset = rel.r_offset, .r_info = rel.r_info};
  if (has_addend(f->machine, out) && file_at(f, rel.r_offset, &offset) >= form.word &&
      !file_read(f, offset, bytes, form.word))
    out->r_addend =
        form.word == 8 ? (int64_t)get_word(bytes, form) : (int32_t)get_word(bytes, form);
  return true;
}

/* A file that offers nothing may have a hash table that is empty: then relocations tell. */
static int count_by_relocations(const struct elf_file *f, bool plt, uint64_t *count)
{
  Elf_Data *table;
  GElf_Rela r;
  if (file_relocations(f, plt, &table))
    return -1;
  for (int i = 0; table && i < INT_MAX && file_relocation(f, table, i, &r); i++)
    if (GELF_R_SYM(r.r_info) >= *count)
      *count = GELF_R_SYM(r.r_info) + 1;
  return 0;
}

static int read_symbols(struct elf_file *f)
{
  uint64_t count = 0, have;
  if (file_table(f, DT_STRTAB, DT_STRSZ, ELF_T_BYTE, &f->strings) ||
      file_table(f, DT_SYMTAB, 0, ELF_T_SYM, &f->symbols) ||
      file_table(f, DT_VERSYM, 0, ELF_T_HALF, &f->versyms) || count_by_hash(f, &count) ||
      count_by_relocations(f, false, &count) || count_by_relocations(f, true, &count))
    return -1;
  if (!f->symbols)
    return 0;
  have = f->symbols->d_size / gelf_fsize(f->elf, ELF_T_SYM, 1, EV_CURRENT);
  if (count > have || count > INT_MAX)
    return file_damaged(f, ".dynsym is too small");
  f->n_symbols = (int)count;
  return 0;
}

static void set_version(struct elf_file *f, unsigned index, uint64_t name)
{
  f->versions[index & VERSION_INDEX] = file_string(f, name);
}

/* A chain of records, each with the distance to the next; there cannot be more than the index has
 * values. */
static int read_needed_versions(struct elf_file *f)
{
  GElf_Verneed need;
  GElf_Vernaux aux;
  Elf_Data *table;
  unsigned left = VERSION_INDEX;
  if (file_table(f, DT_VERNEED, 0, ELF_T_VNEED, &table))
    return -1;
  for (uint64_t at = 0; table && left && at < INT_MAX; at += need.vn_next) {
    if (!gelf_getverneed(table, (int)at, &need))
      return file_damaged(f, ".gnu.version_r");
    for (uint64_t of = at + need.vn_aux; left-- && of < INT_MAX; of += aux.vna_next) {
      if (!gelf_getvernaux(table, (int)of, &aux))
        return file_damaged(f, ".gnu.version_r");
      set_version(f, aux.vna_other, aux.vna_name);
      if (!aux.vna_next)
        break;
    }
    if (!need.vn_next)
      break;
  }
  return 0;
}

static int read_defined_versions(struct elf_file *f)
{
  GElf_Verdef def;
  GElf_Verdaux aux;
  Elf_Data *table;
  unsigned left = VERSION_INDEX;
  if (file_table(f, DT_VERDEF, 0, ELF_T_VDEF, &table))
    return -1;
  for (uint64_t at = 0; table && left-- && at < INT_MAX; at += def.vd_next) {
    if (!gelf_getverdef(table, (int)at, &def) || at + def.vd_aux > INT_MAX ||
        !gelf_getverdaux(table, (int)(at + def.vd_aux), &aux))
      return file_damaged(f, ".gnu.version_d");
    if (!(def.vd_flags & VER_FLG_BASE))
      set_version(f, def.vd_ndx, aux.vda_name);
    if (!def.vd_next)
      break;
  }
  return 0;
}

static int read_dynamic(struct elf_file *f)
{
  const GElf_Phdr *p = f->segments, *end = p + f->n_segments;
  while (p < end && (p->p_type != PT_DYNAMIC || !p->p_filesz))
    p++;
  f->versions = xalloc((VERSION_INDEX + 1) * sizeof *f->versions);
  if (p == end) /* a static program at a fixed address */
    return 0;
  f->dynamic = elf_getdata_rawchunk(f->elf, (int64_t)p->p_offset, p->p_filesz, ELF_T_DYN);
  if (!f->dynamic)
    return file_damaged(f, elf_errmsg(-1));
  return read_symbols(f) || read_needed_versions(f) || read_defined_versions(f) ? -1 : 0;
}

void file_build_id(const struct elf_file *f, char hex[BUILD_ID])
{
  const void *id;
  const ssize_t n = dwelf_elf_gnu_build_id(f->elf, &id);
  *hex = 0;
  for (ssize_t i = 0; i < n && n <= (BUILD_ID - 1) / 2; i++)
    snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)id)[i]);
}

int file_dynsym(const struct elf_file *f, int i, struct dynsym *out)
{
  GElf_Versym versym = 1;
  if (i < 0 || i >= f->n_symbols || !gelf_getsym(f->symbols, i, &out->sym) ||
      (f->versyms && !gelf_getversym(f->versyms, i, &versym)))
    return file_damaged(f, "a dynamic symbol is not there");
  out->name = file_string(f, out->sym.st_name);
  if (!out->name)
    return file_damaged(f, "the name of a dynamic symbol is not there");
  out->version = f->versions[versym & VERSION_INDEX];
  out->version = out->version ? out->version : "";
  out->hidden = versym & ~VERSION_INDEX;
  return 0;
}

int file_open(struct elf_file *f, const char *path, struct error *e)
{
  *f = (struct elf_file){.path = path, .e = e, .fd = -1};
  return open_regular(f) || check_ident(f) || check_header(f) || read_segments(f) || read_dynamic(f)
             ? -1
             : 0;
}

void file_close(struct elf_file *f)
{
  free(f->versions);
  free(f->segments);
  elf_end(f->elf);
  if (f->fd >= 0)
    close(f->fd);
  *f = (struct elf_file){.fd = -1};
}
