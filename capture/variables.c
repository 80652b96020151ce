/* The names of a module's variables: what it exports, and what its symbol table and the file with
 * its debug information add. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

static void add_name(struct variables *n, const GElf_Sym *sym, const char *name, bool exported)
{
  const int type = GELF_ST_TYPE(sym->st_info);
  if ((type != STT_OBJECT && type != STT_TLS) || !name || !*name || sym->st_shndx == SHN_UNDEF)
    return;
  *PUSH(&n->list) = (struct named){.name = xprintf("%.*s", (int)strcspn(name, "@"), name),
                                   .value = sym->st_value,
                                   .size = sym->st_size,
                                   .tls = type == STT_TLS,
                                   .exported = exported};
}

static void add_symtab(struct variables *n, Elf *elf, bool exported)
{
  GElf_Shdr sh;
  GElf_Sym sym;
  for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
    Elf_Data *data =
        gelf_getshdr(scn, &sh) && sh.sh_type == SHT_SYMTAB ? elf_getdata(scn, NULL) : 0;
    for (int i = 1; data && gelf_getsym(data, i, &sym); i++)
      add_name(n, &sym, elf_strptr(elf, sh.sh_link, sym.st_name), exported);
  }
}

/* Where distributions and gdb keep it, by the build-id; NULL when the module has none. */
static char *debug_path(const struct elf_file *f)
{
  size_t at = 0, next, name, desc;
  GElf_Nhdr note;
  struct bytes path = {0};
  for (size_t i = 0; i < f->n_segments && !path.n; i++, at = 0) {
    const GElf_Phdr *p = &f->segments[i];
    Elf_Data *notes = p->p_type == PT_NOTE ? elf_getdata_rawchunk(f->elf, (int64_t)p->p_offset,
                                                                  p->p_filesz, ELF_T_NHDR)
                                           : NULL;
    for (; notes && (next = gelf_getnote(notes, at, &note, &name, &desc)) > 0; at = next) {
      const unsigned char *id = (const unsigned char *)notes->d_buf + desc;
      if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || !note.n_descsz || path.n ||
          memcmp((const char *)notes->d_buf + name, ELF_NOTE_GNU, 4) != 0)
        continue;
      put_bytes(&path, "/usr/lib/debug/.build-id/", 25);
      for (size_t j = 0; j < note.n_descsz; j++) {
        char hex[4];
        snprintf(hex, sizeof hex, j ? "%02x" : "%02x/", id[j]);
        put_bytes(&path, hex, strlen(hex));
      }
      put_bytes(&path, ".debug", 7);
    }
  }
  return (char *)path.at;
}

/* Its headers tell of segments that it does not hold: it is looked at by sections only. */
static void add_debug(struct variables *n, const struct elf_file *f)
{
  char *path = debug_path(f);
  const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
  if (elf)
    add_symtab(n, elf, false);
  elf_end(elf);
  if (fd >= 0)
    close(fd);
  free(path);
}

void variables_read(struct variables *n, const char *path, bool exports)
{
  struct elf_file f;
  struct error ignored = {0};
  struct dynsym s;
  *n = (struct variables){0};
  if (!file_open(&f, path, &ignored)) {
    for (int i = 1; i < f.n_symbols && !file_dynsym(&f, i, &s); i++)
      add_name(n, &s.sym, s.name, true);
    add_symtab(n, f.elf, !exports);
    add_debug(n, &f);
  }
  file_close(&f);
  error_free(&ignored);
}

void variables_free(struct variables *n)
{
  for (size_t i = 0; i < n->list.n; i++)
    free(n->list.at[i].name);
  free(n->list.at);
  *n = (struct variables){0};
}
