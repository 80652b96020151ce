/* file.c, for what reads ELF files: an ELF file as the dynamic linker sees it, section headers or
 * not. Nothing in the file is believed: every offset and size is held against the file's length. */
#ifndef TURF_FILE_H
#define TURF_FILE_H

#include <gelf.h>

#include "turf.h"

struct elf_file {
  const char *path;
  struct error *e;
  int fd;
  uint64_t size;
  Elf *elf;
  GElf_Ehdr ehdr;
  const struct machine *machine;
  GElf_Phdr *segments;
  size_t n_segments;
  /* owned by elf, NULL when there is none */
  Elf_Data *dynamic, *strings, *symbols, *versyms;
  int n_symbols;
  const char **versions; /* by version index; NULL for none */
};

/* A dynamic symbol; the strings belong to the file. */
struct dynsym {
  GElf_Sym sym;
  const char *name, *version; /* version "" when it has none */
  bool hidden;                /* not the default version of its name */
};

/* An ELF file of a machine that turf knows, which is as long as its headers say.  In case of failure, too, the
 * caller closes it. */
int file_open(struct elf_file *f, const char *path, struct error *e);
void file_close(struct elf_file *f);
/* An ELF header without word of section headers, as hashes take it: see struct urf_origin. */
void file_clear_sections(unsigned char *header);
/* A refusal that says what does not fit; -1. */
int file_damaged(const struct elf_file *f, const char *what);
int file_read(const struct elf_file *f, uint64_t offset, void *out, size_t n);
/* How many bytes from an address on the file holds, and the offset of the first; 0 for none. */
uint64_t file_at(const struct elf_file *f, uint64_t address, uint64_t *offset);
/* The value of the next entry of .dynamic that has the tag, from entry *i on; *i moves on. */
bool file_tag(const struct elf_file *f, int64_t tag, int *i, uint64_t *value);
/* A table by the tags of its address and its size.  Size tag 0: up to the end of its segment, or to
 * what the table says itself.  *out is NULL when there is none. */
int file_table(const struct elf_file *f, int64_t tag, int64_t size_tag, Elf_Type type,
               Elf_Data **out);
/* The relocations, or those of the PLT; *out is NULL when there are none. */
int file_relocations(const struct elf_file *f, bool plt, Elf_Data **out);
/* One of them, with its addend, wherever that is; false at the end. */
bool file_relocation(const struct elf_file *f, Elf_Data *table, int i, GElf_Rela *out);
/* A string of .dynstr, NULL when there is none at the offset. */
const char *file_string(const struct elf_file *f, uint64_t offset);
/* The build-id, in hex; "" when there is none. */
void file_build_id(const struct elf_file *f, char hex[BUILD_ID]);
/* Symbol i, 0 <= i < n_symbols. */
int file_dynsym(const struct elf_file *f, int i, struct dynsym *out);

/* linked.c */

/* The section of a library's note that is none for other tools; false when there is no such section. */
bool linked_note(struct elf_file *f, GElf_Shdr *sh);
/* Fills the link part of the note of a library that was linked without urf.ld, where its own address is 0;
 * needs section headers. */
int linked_find(struct elf_file *f, struct urf_note *note);

/* symbols.c, references.c: parts of a library that library_read has begun to fill */

int symbols_read(struct elf_file *f, struct library *lib);
/* Needs of lib all that the others have read. */
int symbols_twins(struct elf_file *f, struct library *lib);
int references_read(struct elf_file *f, struct library *lib);

#endif
