/* The symbols of a library: names for addresses, and which of those that others may preempt have a second
 * name. */

#include <stdlib.h>
#include <string.h>

#include "file.h"

struct candidate {
  struct symbol s;
  const char *name;
  bool local;
};

/* Labels of the linker script that stand where the user's first variable may stand, too. */
static bool is_marker(const struct candidate *c)
{
  return !c->s.size && strncmp(c->name, "__urf_", 6) == 0;
}

/* By address; of several at one, the best first. */
static int compare_candidates(const void *a, const void *b)
{
  const struct candidate *x = a, *y = b;
  if (x->s.value != y->s.value)
    return x->s.value < y->s.value ? -1 : 1;
  if (is_marker(x) != is_marker(y))
    return is_marker(x) ? 1 : -1;
  if (!x->s.size != !y->s.size)
    return x->s.size ? -1 : 1;
  if (x->local != y->local)
    return x->local ? 1 : -1;
  size_t m = strspn(x->name, "_"), n = strspn(y->name, "_");
  if (m != n)
    return m < n ? -1 : 1;
  return strcmp(x->name, y->name);
}

struct candidates {
  LIST(struct candidate) list;
};

static void add_candidate(struct candidates *c, const struct library *lib, const GElf_Sym *sym,
                          const char *name)
{
  int type = GELF_ST_TYPE(sym->st_info);
  bool function = type == STT_FUNC || type == STT_GNU_IFUNC;
  if ((!function && type != STT_OBJECT && type != STT_NOTYPE) || !name || !*name || *name == '$' ||
      sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS || sym->st_shndx == SHN_COMMON ||
      sym->st_value < lib->lo || sym->st_value >= lib->hi)
    return;
  *PUSH(&c->list) =
      (struct candidate){{.value = sym->st_value, .size = sym->st_size, .function = function},
                         name,
                         GELF_ST_BIND(sym->st_info) == STB_LOCAL};
}

static int find_symtab(struct elf_file *f, const struct library *lib, struct candidates *c)
{
  GElf_Shdr sh;
  GElf_Sym sym;
  for (Elf_Scn *scn = NULL; (scn = elf_nextscn(f->elf, scn));) {
    if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_SYMTAB)
      continue;
    Elf_Data *data = elf_getdata(scn, NULL);
    if (!data)
      return file_damaged(f, ".symtab is not in the file");
    for (int i = 1; gelf_getsym(data, i, &sym); i++)
      add_candidate(c, lib, &sym, elf_strptr(f->elf, sh.sh_link, sym.st_name));
  }
  return 0;
}

static int find_dynsym(struct elf_file *f, const struct library *lib, struct candidates *c)
{
  struct dynsym s;
  for (int i = 1; i < f->n_symbols; i++) {
    if (file_dynsym(f, i, &s))
      return -1;
    add_candidate(c, lib, &s.sym, s.name);
  }
  return 0;
}

int symbols_read(struct elf_file *f, struct library *lib)
{
  struct candidates c = {0};
  int result = find_symtab(f, lib, &c);
  if (!result && !c.list.n)
    result = find_dynsym(f, lib, &c);
  sort(c.list.at, c.list.n, sizeof *c.list.at, compare_candidates);
  for (size_t i = 0; !result && i < c.list.n; i++) {
    if (i && c.list.at[i].s.value == c.list.at[i - 1].s.value)
      continue;
    struct symbol *s = PUSH(&lib->symbols);
    *s = c.list.at[i].s;
    s->name = xstrdup(c.list.at[i].name);
    s->name[strcspn(s->name, "@")] = 0; /* the linker's .symtab has versions in names */
  }
  free(c.list.at);
  return result;
}

/* Labels without a size, within a function of assembler say, do not hide what they are in. */
const struct symbol *library_symbol(const struct library *lib, uint64_t address)
{
  for (size_t i = COUNT_BELOW(&lib->symbols, value, address + 1); i--;) {
    const struct symbol *s = &lib->symbols.at[i];
    if (s->value == address || address - s->value < s->size)
      return s;
    if (s->size)
      return NULL;
  }
  return NULL;
}

/* Marks the own symbols that the other symbol is also a name for, or around. */
static void mark_twins(struct library *lib, const struct candidate *other)
{
  const size_t n = strcspn(other->name, "@");
  const uint64_t end = other->s.value + other->s.size + !other->s.size;
  for (size_t i = COUNT_BELOW(&lib->owns, value, other->s.value);
       i < lib->owns.n && lib->owns.at[i].value < end; i++) {
    const char *name = lib->owns.at[i].name;
    lib->owns.at[i].twin |= strlen(name) != n || strncmp(name, other->name, n) != 0;
  }
}

int symbols_twins(struct elf_file *f, struct library *lib)
{
  struct candidates c = {0};
  int result = find_symtab(f, lib, &c);
  for (size_t i = 0; i < lib->owns.n && c.list.n; i++)
    lib->owns.at[i].twin = false;
  for (size_t i = 0; i < c.list.n && !result; i++)
    mark_twins(lib, &c.list.at[i]);
  free(c.list.at);
  return result;
}
