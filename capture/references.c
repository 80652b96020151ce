/* What a library asks the dynamic linker for: the names that it needs from others, the words that are
 * filled before any constructor runs, and its own definitions that are asked for by name. */

#include <stdlib.h>
#include <string.h>

#include "file.h"

static int compare_needs(const void *a, const void *b)
{
  const struct need *x = a, *y = b;
  int order = strcmp(x->name, y->name);
  return order ? order : strcmp(x->version, y->version);
}

static int read_needs(struct elf_file *f, struct library *lib)
{
  struct dynsym s;
  for (int i = 1; i < f->n_symbols; i++) {
    if (file_dynsym(f, i, &s))
      return -1;
    if (s.sym.st_shndx == SHN_UNDEF && GELF_ST_TYPE(s.sym.st_info) != STT_TLS && *s.name)
      *PUSH(&lib->needs) = (struct need){xstrdup(s.name), xstrdup(s.version), 0};
  }
  sort(lib->needs.at, lib->needs.n, sizeof *lib->needs.at, compare_needs);
  return 0;
}

/* The first one of that name, in that version when it is not "". */
static struct need *find_need(const struct library *lib, const char *name, const char *version)
{
  size_t lo = 0, hi = lib->needs.n;
  while (lo < hi) {
    size_t middle = lo + (hi - lo) / 2;
    if (strcmp(lib->needs.at[middle].name, name) < 0)
      lo = middle + 1;
    else
      hi = middle;
  }
  for (; lo < lib->needs.n && strcmp(lib->needs.at[lo].name, name) == 0; lo++)
    if (!*version || strcmp(lib->needs.at[lo].version, version) == 0)
      return &lib->needs.at[lo];
  return NULL;
}

bool library_needs(const struct library *lib, const char *name, const char *version)
{
  return find_need(lib, name, version) != NULL;
}

uint64_t library_slot(const struct library *lib, const char *name, const char *version)
{
  const struct need *need = find_need(lib, name, version);
  return need && strcmp(need->version, version) == 0 ? need->slot : 0;
}

/* slots */

static struct slot *add_slot(struct library *lib, uint64_t address, int kind)
{
  if (address - lib->note.data >= lib->region_size)
    return NULL;
  struct slot *s = PUSH(&lib->slots);
  s->address = address;
  s->kind = kind;
  return s;
}

/* A definition that another module's may take the place of: the dynamic linker is asked for it. */
static void add_own(struct library *lib, const struct dynsym *s, uint64_t slot)
{
  const int type = GELF_ST_TYPE(s->sym.st_info);
  const bool function = type == STT_FUNC, ifunc = type == STT_GNU_IFUNC;
  if (GELF_ST_VISIBILITY(s->sym.st_other) != STV_DEFAULT ||
      GELF_ST_BIND(s->sym.st_info) == STB_LOCAL ||
      !(function || ifunc || type == STT_OBJECT || type == STT_NOTYPE))
    return;
  *PUSH(&lib->owns) = (struct own){.name = xstrdup(s->name),
                                   .value = s->sym.st_value,
                                   .size = s->sym.st_size,
                                   .kind = function ? OWN_FUNCTION
                                           : ifunc  ? OWN_IFUNC
                                                    : OWN_OBJECT,
                                   .twin = true,
                                   .slot = slot};
}

/* Notes whose address a relocation asks for; slot is where it goes, 0 when init may change that. */
static int add_reference(struct elf_file *f, struct library *lib, int symbol, uint64_t slot)
{
  struct dynsym s;
  if (file_dynsym(f, symbol, &s))
    return -1;
  if (s.sym.st_shndx != SHN_UNDEF) {
    add_own(lib, &s, slot);
    return 0;
  }
  struct need *need = find_need(lib, s.name, s.version);
  if (need && slot)
    need->slot = slot;
  return 0;
}

/* Not those of thread-local variables, whose places the dynamic linker allocates. */
static bool is_link(const struct machine *m, unsigned type)
{
  return type == m->relative || type == m->glob_dat || type == m->jump_slot || type == m->irelative;
}

/* Which a frozen library has no more than the first entry of. */
static bool in_init_array(const struct elf_file *f, uint64_t address)
{
  uint64_t start, size;
  int i = 0, j = 0;
  return file_tag(f, DT_INIT_ARRAY, &i, &start) && file_tag(f, DT_INIT_ARRAYSZ, &j, &size) &&
         address - start < size;
}

static bool is_ifunc(const GElf_Sym *s)
{
  return s->st_shndx != SHN_UNDEF && GELF_ST_TYPE(s->st_info) == STT_GNU_IFUNC;
}

/* Of these the copy says the same as the library's: they are set before any constructor. */
static void note_copy(struct library *lib, const char *name)
{
  static const char *const harmless[] = {"stdin",   "stdout",    "stderr",
                                         "environ", "__environ", "_environ"};
  for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
    if (strcmp(name, harmless[i]) == 0)
      return;
  if (!lib->copied)
    lib->copied = xstrdup(name);
}

static int read_relocations(struct elf_file *f, struct library *lib, bool plt)
{
  Elf_Data *table;
  GElf_Rela rela;
  struct dynsym sym;
  const struct machine *m = f->machine;
  if (file_relocations(f, plt, &table))
    return -1;
  for (int i = 0; table && file_relocation(f, table, i, &rela); i++) {
    const unsigned type = (unsigned)GELF_R_TYPE(rela.r_info);
    const int symbol = (int)GELF_R_SYM(rela.r_info);
    const bool symbolic = type == m->symbolic && symbol;
    if ((type == m->jump_slot || type == m->copy) && file_dynsym(f, symbol, &sym))
      return -1;
    if (type == m->copy)
      note_copy(lib, sym.name);
    lib->irelative |= type == m->irelative || (type == m->jump_slot && is_ifunc(&sym.sym));
    const bool outside =
        rela.r_offset < lib->note.transient && !rela.r_addend && !in_init_array(f, rela.r_offset);
    if ((symbolic || type == m->glob_dat) &&
        add_reference(f, lib, symbol, outside ? rela.r_offset : 0))
      return -1;
    struct slot *s = add_slot(lib, rela.r_offset,
                              type == m->relative ? SLOT_RELATIVE
                              : symbolic          ? SLOT_SYMBOL
                                                  : SLOT_OTHER);
    if (!s && (symbolic || is_link(m, type)) && !in_init_array(f, rela.r_offset) &&
        rela.r_offset < lib->note.transient)
      *PUSH(&lib->links) = rela.r_offset;
    if (s)
      s->addend = rela.r_addend;
    if (!s || !symbolic)
      continue;
    if (file_dynsym(f, symbol, &sym))
      return -1;
    s->symbol = xstrdup(sym.name);
    s->version = xstrdup(sym.sym.st_shndx == SHN_UNDEF ? sym.version : "");
  }
  return 0;
}

/* What is to be relocated is in the file. */
static void add_relr_slot(struct library *lib, uint64_t address)
{
  struct slot *s = add_slot(lib, address, SLOT_RELATIVE);
  const uint64_t offset = address - lib->note.data;
  if (s && lib->data_size >= lib->form.word && offset <= lib->data_size - lib->form.word)
    s->addend = (int64_t)get_word(lib->data + offset, lib->form);
}

/* RELR (gABI): an address, or a bitmap of the words behind the last one. */
static int read_relr(struct elf_file *f, struct library *lib)
{
  const unsigned word = lib->form.word;
  Elf_Data *table;
  uint64_t next = 0;
  if (file_table(f, DT_RELR, DT_RELRSZ, ELF_T_ADDR, &table))
    return -1;
  for (size_t i = 0; table && i < table->d_size / word; i++) {
    uint64_t entry = get_word((const char *)table->d_buf + i * word, native(word));
    if (!(entry & 1)) {
      add_relr_slot(lib, entry);
      next = entry + word;
      continue;
    }
    for (uint64_t at = next; entry >>= 1; at += word)
      if (entry & 1)
        add_relr_slot(lib, at);
    next += (8 * word - 1) * (uint64_t)word;
  }
  return 0;
}

static int compare_slots(const void *a, const void *b)
{
  const struct slot *x = a, *y = b;
  return x->address < y->address ? -1 : x->address > y->address;
}

static int compare_links(const void *a, const void *b)
{
  const uint64_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

static int compare_owns(const void *a, const void *b)
{
  const struct own *x = a, *y = b;
  if (x->value != y->value)
    return x->value < y->value ? -1 : 1;
  return strcmp(x->name, y->name);
}

static int read_slots(struct elf_file *f, struct library *lib)
{
  if (read_relocations(f, lib, false) || read_relocations(f, lib, true) || read_relr(f, lib))
    return -1;
  sort(lib->slots.at, lib->slots.n, sizeof *lib->slots.at, compare_slots);
  sort(lib->links.at, lib->links.n, sizeof *lib->links.at, compare_links);
  sort(lib->owns.at, lib->owns.n, sizeof *lib->owns.at, compare_owns);
  size_t n = 0;
  for (size_t i = 0; i < lib->owns.n; i++) /* several words may ask for one */
    if (n && strcmp(lib->owns.at[n - 1].name, lib->owns.at[i].name) == 0) {
      if (!lib->owns.at[n - 1].slot)
        lib->owns.at[n - 1].slot = lib->owns.at[i].slot;
      free(lib->owns.at[i].name);
    } else
      lib->owns.at[n++] = lib->owns.at[i];
  lib->owns.n = n;
  for (size_t i = 0; i < n; i++)
    lib->n_ifuncs += lib->owns.at[i].kind == OWN_IFUNC;
  return 0;
}

int references_read(struct elf_file *f, struct library *lib)
{
  int i = 0, j = 0;
  (void)file_tag(f, DT_INIT, &i, &lib->init);
  (void)file_tag(f, DT_INIT_ARRAYSZ, &j, &lib->init_array_size);
  return read_needs(f, lib) || read_slots(f, lib) ? -1 : 0;
}
