/* A turf or urf library, as the other steps want to know it.
 *
 * All but the full symbol table comes from program headers, so that a file without section headers
 * says the same.  The note is found as such and then held against the address it says it has: that
 * is where the loader will look. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "file.h"

struct reader {
  struct elf_file f;
  struct library *lib;
  struct urf_note found; /* as it stands in the file */
  bool has_note;
  bool
      glibc; /* it has the note that start files of glibc have (NT_GNU_ABI_TAG), and musl's have not */
  uint64_t note_at; /* its address, where nothing in the file leads to it; or 0 */
};

static int damaged_note(const struct reader *r, const char *what)
{
  return fail(r->f.e, REFUSED, "%s: is damaged: %s in .note.urf; link or freeze it again",
              r->f.path, what);
}

static bool is_inside(uint64_t offset, uint64_t size, uint64_t whole)
{
  return offset <= whole && size <= whole - offset;
}

static bool array_inside(uint64_t offset, uint64_t n, size_t size, uint64_t whole)
{
  return offset <= whole && n <= (whole - offset) / size;
}

static int read_image(struct reader *r)
{
  struct library *lib = r->lib;
  const char *path = r->f.path;
  if (r->f.ehdr.e_type != ET_DYN && r->f.ehdr.e_type != ET_EXEC)
    return fail(r->f.e, REFUSED, "%s: is %s; name a library linked with cc -shared ... -T urf.ld",
                path, r->f.ehdr.e_type == ET_CORE ? "a core file" : "no shared library");
  lib->moves = r->f.ehdr.e_type == ET_DYN;
  lib->machine = r->f.machine;
  lib->form = machine_form(lib->machine);
  lib->file_size = r->f.size;
  lib->lo = UINT64_MAX;
  for (size_t i = 0; i < r->f.n_segments; i++) {
    const GElf_Phdr *p = &r->f.segments[i];
    if (p->p_type == PT_TLS)
      lib->tls_size = p->p_memsz;
    if (p->p_type == PT_GNU_EH_FRAME)
      lib->unwind = p->p_vaddr;
    if (p->p_type != PT_LOAD || !p->p_memsz)
      continue;
    if (p->p_vaddr < lib->lo)
      lib->lo = p->p_vaddr;
    if (p->p_vaddr + p->p_memsz > lib->hi)
      lib->hi = p->p_vaddr + p->p_memsz;
  }
  lib->preferred = lib->lo & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
  return 0;
}

/* notes */

static int scan_notes(struct reader *r, Elf_Data *notes)
{
  size_t at = 0, next, name, desc;
  GElf_Nhdr n;
  for (; notes && (next = gelf_getnote(notes, at, &n, &name, &desc)) > 0; at = next) {
    const unsigned char *start = notes->d_buf;
    r->glibc |=
        n.n_namesz == 4 && n.n_type == NT_GNU_ABI_TAG && memcmp(start + name, ELF_NOTE_GNU, 4) == 0;
    if (n.n_namesz != 4 || n.n_type != URF_NOTE_TYPE ||
        memcmp(start + name, URF_NOTE_NAME, 4) != 0 || r->has_note)
      continue;
    if (desc - at + n.n_descsz != sizeof r->found)
      return fail(r->f.e, REFUSED,
                  "%s: was linked with the liburf.a and urf.ld of another turf; link it again with "
                  "this turf's",
                  r->f.path);
    memcpy(&r->found, start + at, sizeof r->found);
    order_turn(machine_form(r->f.machine), RECORD_NOTE, &r->found, 1);
    r->found.namesz = n.n_namesz; /* these have been converted */
    r->found.descsz = n.n_descsz;
    r->found.type = n.n_type;
    r->has_note = true;
  }
  return 0;
}

/* Tools that edit program headers may leave a note in its section only. */
static int find_notes(struct reader *r)
{
  GElf_Shdr sh;
  for (size_t i = 0; i < r->f.n_segments; i++) {
    const GElf_Phdr *p = &r->f.segments[i];
    if (p->p_type == PT_NOTE && p->p_filesz &&
        scan_notes(r, elf_getdata_rawchunk(r->f.elf, (int64_t)p->p_offset, p->p_filesz,
                                           p->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR)))
      return -1;
  }
  for (Elf_Scn *scn = NULL; !r->has_note && (scn = elf_nextscn(r->f.elf, scn));)
    if (gelf_getshdr(scn, &sh) && sh.sh_type == SHT_NOTE && scan_notes(r, elf_getdata(scn, NULL)))
      return -1;
  uint64_t offset = 0;
  if (!r->has_note && linked_note(&r->f, &sh))
    offset = sh.sh_offset;
  else if (!r->has_note && file_at(&r->f, r->note_at, &offset) < sizeof r->found)
    offset = 0;
  if (r->has_note || !offset)
    return 0;
  return scan_notes(r,
                    elf_getdata_rawchunk(r->f.elf, (int64_t)offset, sizeof r->found, ELF_T_NHDR));
}

/* liburf.a is for static programs; what has a dynamic linker gets liburf_shared.a by way of liburf.so. */
static int check_loader(struct reader *r)
{
  struct library *lib = r->lib;
  int i = 0;
  uint64_t ignored, flags = 0;
  bool dynamic = file_tag(&r->f, DT_NEEDED, &i, &ignored), interpreter = false;
  i = 0;
  (void)file_tag(&r->f, DT_FLAGS_1, &i, &flags);
  for (size_t s = 0; s < r->f.n_segments; s++)
    interpreter |= r->f.segments[s].p_type == PT_INTERP;
  dynamic |= interpreter;
  /* libraries that can be run name a dynamic linker, too, and mold writes it into those of musl-gcc */
  lib->is_program = interpreter && (!lib->moves || flags & DF_1_PIE);
  lib->flagged = lib->is_program || flags & DF_1_NOOPEN;
  if (lib->is_static && dynamic)
    return fail(r->f.e, REFUSED,
                "%s: has the loader for static programs, and a dynamic linker; link it without "
                "-Bstatic around -T urf.ld, which takes liburf.so",
                lib->path);
  if (!lib->is_static && !lib->moves)
    return fail(
        r->f.e, REFUSED,
        "%s: is a program at a fixed address with a dynamic linker, which cannot be frozen; "
        "link it with -pie, -static or -static-pie",
        lib->path);
  return 0;
}

static int check_region(struct reader *r)
{
  const struct urf_note *n = &r->lib->note;
  uint64_t end = n->flags & URF_FROZEN ? n->heap_end : n->heap + n->heap_reserve;
  if (n->data < r->lib->lo || n->bss < n->data || n->heap < n->bss || end < n->heap ||
      end > r->lib->hi)
    return damaged_note(r, "the region's place");
  if (n->state < n->data || !is_inside(n->state - n->data, n->state_size, n->heap - n->data))
    return damaged_note(r, "the place of the loader's variables");
  if (n->init_array < r->lib->lo || n->init_array >= r->lib->hi)
    return damaged_note(r, "the place of .init_array");
  r->lib->region_size = end - n->data;
  return 0;
}

static int read_note(struct reader *r)
{
  struct urf_note *n = &r->lib->note;
  uint64_t offset;
  if (find_notes(r))
    return -1;
  if (!r->has_note)
    return fail(r->f.e, REFUSED,
                "%s: was not linked with urf.ld; link it with cc -shared -o FILE OBJECTS... "
                "$(turf flags), which is short for -L<libdir> -T urf.ld",
                r->f.path);
  if (r->found.format != URF_FORMAT)
    return fail(r->f.e, REFUSED,
                "%s: has format %u where this turf has %u; link it with this turf's liburf.a and "
                "urf.ld",
                r->f.path, r->found.format, URF_FORMAT);
  r->lib->unscripted = !r->found.self;
  if (r->lib->unscripted && linked_find(&r->f, &r->found))
    return -1;
  if (file_at(&r->f, r->found.self, &offset) < sizeof *n)
    return damaged_note(r, "its own address");
  if (file_read(&r->f, offset, n, sizeof *n))
    return -1;
  order_turn(r->lib->form, RECORD_NOTE, n, 1);
  if (r->lib->unscripted)
    *n = r->found;
  if (memcmp(n, &r->found, sizeof *n) != 0)
    return fail(
        r->f.e, REFUSED,
        "%s: its .note.urf was moved from where the loader looks (by patchelf or objcopy?); "
        "freeze first, or change the file otherwise",
        r->f.path);
  r->lib->is_static = n->flags & URF_STATIC;
  if (check_loader(r))
    return -1;
  if (n->transient > n->data)
    return damaged_note(r, "the place of transient variables");
  if (n->tm_clones)
    return fail(r->f.e, REFUSED,
                "%s: has transactional-memory clones of functions, which cannot be frozen; compile "
                "without -fgnu-tm",
                r->f.path);
  return check_region(r);
}

/* the region and the table */

static int read_data(struct reader *r)
{
  struct library *lib = r->lib;
  uint64_t offset, n = file_at(&r->f, lib->note.data, &offset);
  if (n > lib->region_size)
    n = lib->region_size;
  lib->data_size = (size_t)n;
  lib->data = xalloc(lib->data_size);
  return n ? file_read(&r->f, offset, lib->data, lib->data_size) : 0;
}

static bool is_text(const struct library *lib, uint64_t offset)
{
  return offset < lib->note.table_size &&
         memchr(lib->table + offset, 0, lib->note.table_size - offset);
}

static bool is_import(const struct library *lib, uint64_t offset)
{
  struct urf_import m;
  memcpy(&m, lib->table + offset, sizeof m);
  return is_text(lib, m.name) && is_text(lib, m.version) && is_text(lib, m.module) &&
         m.kind < URF_IMPORT_KINDS &&
         (!m.slot || is_inside(m.slot - lib->lo, lib->form.word, lib->note.data - lib->lo)) &&
         is_inside(m.sites, m.sites_size, lib->note.table_size);
}

static bool is_protection(const struct library *lib, uint64_t offset)
{
  struct urf_protection p;
  memcpy(&p, lib->table + offset, sizeof p);
  return p.address >= lib->note.data && p.prot <= 7 &&
         is_inside(p.address - lib->note.data, p.size, lib->region_size);
}

static bool is_stretch(const struct library *lib, uint64_t offset, uint64_t *relr)
{
  struct urf_stretch s;
  memcpy(&s, lib->table + offset, sizeof s);
  *relr += s.relr_size;
  const uint64_t pages = (lib->region_size + 4095) & ~(uint64_t)4095;
  return s.address >= lib->note.data && s.way <= URF_COPY && s.size >= lib->form.word &&
         s.relr_size % lib->form.word == 0 && s.relr_size <= lib->note.relr_size &&
         is_inside(s.address - lib->note.data, s.size, pages);
}

/* What the loader checks, too. */
static int check_table(const struct reader *r)
{
  const struct library *lib = r->lib;
  const struct urf_note *n = &lib->note;
  const uint64_t size = n->table_size;
  if (!is_inside(n->relr, n->relr_size, size) || n->relr_size % lib->form.word ||
      !is_inside(n->odd, n->odd_size, size) || !is_inside(n->rotated, n->rotated_size, size) ||
      !is_inside(n->origin, n->origin_size, size) || !is_inside(n->recipe, n->recipe_size, size) ||
      !array_inside(n->imports, n->n_imports, sizeof(struct urf_import), size) ||
      !array_inside(n->protections, n->n_protections, sizeof(struct urf_protection), size) ||
      !array_inside(n->stretches, n->n_stretches, sizeof(struct urf_stretch), size) ||
      (n->fallback && !array_inside(n->fallback, 1, sizeof(struct urf_fallback), size)))
    return damaged_note(r, "what it says of .urf.table");
  for (uint64_t i = 0; i < n->n_imports; i++)
    if (!is_import(lib, n->imports + i * sizeof(struct urf_import)))
      return file_damaged(&r->f, "an import in .urf.table");
  for (uint64_t i = 0; i < n->n_protections; i++)
    if (!is_protection(lib, n->protections + i * sizeof(struct urf_protection)))
      return file_damaged(&r->f, "a protection in .urf.table");
  uint64_t relr = 0;
  for (uint64_t i = 0; i < n->n_stretches; i++)
    if (!is_stretch(lib, n->stretches + i * sizeof(struct urf_stretch), &relr))
      return file_damaged(&r->f, "a stretch in .urf.table");
  return relr == n->relr_size ? 0 : file_damaged(&r->f, "the stretches in .urf.table");
}

static int read_table(struct reader *r)
{
  struct library *lib = r->lib;
  const struct urf_note *n = &lib->note;
  uint64_t offset;
  if (!(n->flags & URF_FROZEN))
    return 0;
  if (n->machine != lib->machine->number || !n->align || n->align & (n->align - 1) ||
      n->heap_end > n->table || n->table % 8)
    return damaged_note(r, "what the freeze put");
  if (lib->data_size < lib->region_size || file_at(&r->f, n->table, &offset) < n->table_size)
    return damaged_note(r, "a place that is not in the file");
  lib->table = xalloc((size_t)n->table_size);
  if (n->table_size && file_read(&r->f, offset, lib->table, (size_t)n->table_size))
    return -1;
  order_turn_table(lib->form, lib->table, n, false);
  return check_table(r);
}

/* the rest */

/* Of the one that the file needs; glibc where it needs none. */
static enum libc libc_of(const struct elf_file *f, bool *needs)
{
  uint64_t offset;
  *needs = false;
  for (int i = 0; file_tag(f, DT_NEEDED, &i, &offset);) {
    const char *name = file_string(f, offset);
    *needs |= name && strncmp(name, "libc.so.", 8) == 0;
    if (name && (strcmp(name, "libc.so") == 0 || strncmp(name, "libc.musl", 9) == 0 ||
                 strncmp(name, "ld-musl", 7) == 0)) {
      *needs = true;
      return LIBC_MUSL;
    }
  }
  return LIBC_GLIBC;
}

int library_same_libc(const struct library *lib, const char *program, struct error *e)
{
  static const char *const names[] = {[LIBC_GLIBC] = "glibc", [LIBC_MUSL] = "musl"};
  struct error unread = {0}; /* it may be a script */
  struct elf_file f;
  bool needs = false;
  int result = 0;
  const bool read = !file_open(&f, program, &unread);
  const enum libc libc = read ? libc_of(&f, &needs) : lib->libc;
  if (read && f.machine != lib->machine)
    result = fail(e, REFUSED,
                  "%s: is for %s, and --host %s for %s, which cannot load it: name a program for "
                  "%s, or none",
                  lib->path, lib->machine->name, program, f.machine->name, lib->machine->name);
  else if (lib->needs_libc && needs && libc != lib->libc)
    result =
        fail(e, REFUSED,
             "%s: is for %s, and --host %s for %s, whose dynamic linker cannot load it: name a "
             "program for %s, or none",
             lib->path, names[lib->libc], program, names[libc], names[lib->libc]);
  file_close(&f);
  error_free(&unread);
  return result;
}

static bool has_tag(const struct reader *r, int64_t tag)
{
  uint64_t ignored;
  int i = 0;
  return file_tag(&r->f, tag, &i, &ignored);
}

/* bionic, libc/include/elf.h */
enum { ANDROID_REL = 0x6000000f, ANDROID_RELA = 0x60000011 };

/* What the dynamic linker is asked to do that turf, or musl's, cannot follow. */
static int check_linking(struct reader *r)
{
  struct library *lib = r->lib;
  uint64_t flags = 0;
  int i = 0;
  (void)file_tag(&r->f, DT_FLAGS, &i, &flags);
  lib->static_tls = flags & DF_STATIC_TLS;
  lib->relr = has_tag(r, DT_RELR);
  if (flags & DF_TEXTREL || has_tag(r, DT_TEXTREL))
    return fail(r->f.e, REFUSED,
                "%s: has text relocations (DT_TEXTREL): compile all of it with -fPIC, and link it "
                "with -Wl,-z,text, which names what was not",
                lib->path);
  if (has_tag(r, ANDROID_REL) || has_tag(r, ANDROID_RELA))
    return fail(r->f.e, REFUSED,
                "%s: has relocations packed for Android (DT_ANDROID_RELA), which the dynamic "
                "linkers of glibc and musl do not know: link it without --pack-dyn-relocs=android",
                lib->path);
  if (lib->form.word == 4 && (lib->is_static ? !r->glibc : lib->libc == LIBC_MUSL))
    return fail(r->f.e, REFUSED,
                "%s: is for musl on a machine with 32 bits, where that has wider file offsets and "
                "times than what turf puts into it: link it for glibc",
                lib->path);
  if (lib->libc == LIBC_MUSL && (lib->irelative || lib->n_ifuncs))
    return fail(
        r->f.e, REFUSED,
        "%s: has an indirect function (R_*_IRELATIVE), which musl's dynamic linker does not "
        "resolve: compile it without __attribute__((ifunc)) and target_clones",
        lib->path);
  return 0;
}

/* Init runs in a program that is loaded like a library; there some things would be others. */
static int check_program(struct reader *r)
{
  const struct library *lib = r->lib;
  uint64_t size = 0;
  int i = 0;
  if (lib->is_program && lib->tls_size)
    return fail(r->f.e, REFUSED,
                "%s: is a program with thread-local variables and a dynamic linker, whose init "
                "cannot be run for turf: link it with -static-pie, or put what is to be frozen "
                "into a library",
                lib->path);
  if (lib->is_program && lib->copied)
    return fail(r->f.e, REFUSED,
                "%s: has a copy of a library's variable (%s), which is not in use while turf runs "
                "its init: compile the program with -fPIC, or with -mno-direct-extern-access",
                lib->path, lib->copied);
  if ((lib->is_program || lib->is_static) && file_tag(&r->f, DT_PREINIT_ARRAYSZ, &i, &size) && size)
    return fail(
        r->f.e, REFUSED,
        "%s: has functions in .preinit_array, which run before turf's loader: put them into "
        ".init_array",
        lib->path);
  return 0;
}

/* glibc (since 2.35) loads a library at a multiple of p_align, musl at any page. */
static void read_align(struct reader *r)
{
  r->lib->align = (uint64_t)sysconf(_SC_PAGESIZE);
  for (size_t i = 0; i < r->f.n_segments && r->lib->libc == LIBC_GLIBC; i++) {
    const uint64_t align = r->f.segments[i].p_align;
    if (r->f.segments[i].p_type == PT_LOAD && align > r->lib->align && !(align & (align - 1)))
      r->lib->align = align;
  }
}

/* Zeros for what the hash leaves out, as far as it lies in the chunk that starts at offset at. */
static void leave_out(unsigned char *chunk, uint64_t at, size_t n, uint64_t from, size_t size)
{
  for (uint64_t i = from; i < from + size; i++)
    if (i >= at && i - at < n)
      chunk[i - at] = 0;
}

/* As urf_origin has it: up to the end of the last segment, without word of the section headers and
 * of the hash of the whole. */
static int hash_chunks(struct reader *r, XXH3_state_t *state, unsigned char *chunk, size_t room)
{
  uint64_t end = 0, at = 0;
  uint64_t note;
  (void)file_at(&r->f, r->lib->note.self, &note); /* read_note has seen it */
  for (size_t i = 0; i < r->f.n_segments; i++) {
    const GElf_Phdr *p = &r->f.segments[i];
    if (p->p_type == PT_LOAD && p->p_filesz && p->p_offset + p->p_filesz > end)
      end = p->p_offset + p->p_filesz;
  }
  for (size_t n; at < end; at += n) {
    n = end - at < room ? (size_t)(end - at) : room;
    if (file_read(&r->f, at, chunk, n))
      return -1;
    if (!at)
      file_clear_sections(chunk);
    leave_out(chunk, at, n, note + offsetof(struct urf_note, image_hash), 16);
    XXH3_128bits_update(state, chunk, n);
  }
  return 0;
}

static int read_hash(struct reader *r)
{
  const size_t room = 1 << 20;
  unsigned char *chunk = xalloc(room);
  XXH3_state_t *state = xcheck(XXH3_createState());
  XXH3_128bits_reset(state);
  int result = hash_chunks(r, state, chunk, room);
  XXH128_hash_t hash = XXH3_128bits_digest(state);
  r->lib->hash[0] = hash.low64;
  r->lib->hash[1] = hash.high64;
  XXH3_freeState(state);
  free(chunk);
  return result;
}

int library_read(struct library *lib, const char *path, struct error *e)
{
  return library_read_original(lib, path, 0, e);
}

int library_read_original(struct library *lib, const char *path, uint64_t note, struct error *e)
{
  struct reader r = {.lib = lib, .note_at = note};
  *lib = (struct library){.path = xstrdup(path), .file = xstrdup(path)};
  int result = file_open(&r.f, path, e) || read_image(&r) || read_note(&r) || read_data(&r) ||
                       read_table(&r) || symbols_read(&r.f, lib) || references_read(&r.f, lib) ||
                       symbols_twins(&r.f, lib) || read_hash(&r)
                   ? -1
                   : 0;
  if (!result) {
    lib->libc = libc_of(&r.f, &lib->needs_libc);
    read_align(&r);
    file_build_id(&r.f, lib->build_id);
    result = check_linking(&r) || check_program(&r);
  }
  file_close(&r.f);
  if (result)
    library_free(lib);
  return result;
}

void library_rename(struct library *lib, const char *path)
{
  free(lib->path);
  lib->path = xstrdup(path);
}

void library_free(struct library *lib)
{
  if (!lib)
    return;
  for (size_t i = 0; i < lib->symbols.n; i++)
    free(lib->symbols.at[i].name);
  for (size_t i = 0; i < lib->needs.n; i++) {
    free(lib->needs.at[i].name);
    free(lib->needs.at[i].version);
  }
  for (size_t i = 0; i < lib->slots.n; i++) {
    free(lib->slots.at[i].symbol);
    free(lib->slots.at[i].version);
  }
  free(lib->symbols.at);
  free(lib->needs.at);
  free(lib->slots.at);
  for (size_t i = 0; i < lib->owns.n; i++)
    free(lib->owns.at[i].name);
  free(lib->owns.at);
  free(lib->links.at);
  free(lib->data);
  free(lib->table);
  free(lib->path);
  free(lib->file);
  free(lib->copied);
  *lib = (struct library){0};
}
