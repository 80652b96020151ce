/* What ELF files say. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"
#include "util.h"

enum libc { LIBC_GLIBC, LIBC_MUSL };

/* machines.c: what differs between files of the machines that turf knows */

struct machine {
  uint32_t largest_page; /* bytes, where kernels have larger ones than 4096 */
  uint16_t number;       /* e_machine */
  uint8_t class, data;   /* as in e_ident */
  const char *name;      /* in messages */
  const char *host;      /* in the names of host programs, as in uname -m */
  unsigned no_init;     /* libcs whose dynamic linker does not call DT_INIT, as bits by enum libc */
  uint64_t kernel_page; /* that the kernel has at the same address in every process, 0 for none */
  bool in_place;        /* relocations have their addends where they are applied: REL, not RELA */
  /* Instructions that ask for the CPU's features, at multiples of step: those that are value but for bits that
   * are not in mask; none when that is 0.  sifts: code.c can tell what only looks like one. */
  struct {
    uint32_t mask, value;
    unsigned step;
    bool sifts;
  } asks;
  /* types of relocations */
  unsigned relative, symbolic, glob_dat, jump_slot, irelative, copy;
};

/* Of pointers, by what e_ident says. */
struct form elf_form(unsigned class, unsigned data);
struct form machine_form(const struct machine *m);
/* NULL when turf does not know it. */
const struct machine *machine_find(unsigned number, unsigned class, unsigned data);
/* All of them, from 0 on, up to a NULL. */
const struct machine *machine_at(size_t i);

/* read.c: what an ELF file says, without libelf types */

/* Room for a build-id in hex; linkers make 8 to 20 bytes, or as many as they are given. */
enum { BUILD_ID = 129 };

struct symbol {
  char *name;
  uint64_t value, size;
  bool function;
};

/* A definition of the library's that another module's may take the place of: it is asked for by name. */
struct own {
  char *name;
  uint64_t value, size;
  enum { OWN_FUNCTION, OWN_OBJECT, OWN_IFUNC } kind;
  bool twin;     /* the library has another name for it, or may have: there is no symbol table */
  uint64_t slot; /* as in struct urf_import */
};

/* A name that the library wants from other modules. */
struct need {
  char *name, *version; /* version "" when it names none */
  uint64_t slot;        /* as in struct urf_import */
};

/* A word of the region that the dynamic linker writes before any constructor. */
struct slot {
  uint64_t address;
  enum { SLOT_RELATIVE, SLOT_SYMBOL, SLOT_OTHER } kind;
  char *symbol, *version; /* SLOT_SYMBOL: its name, version (or "") */
  int64_t addend;         /* to that; RELATIVE: the address, 0 when it is in the word */
};

struct library {
  char *path; /* as messages call it */
  char *file; /* to open; the same unless it has been renamed */
  enum libc libc;
  bool needs_libc; /* or any will do */
  bool irelative;  /* the dynamic linker has to call a function of it for an address */
  bool static_tls; /* it takes thread-local memory of what there is at the start: DF_STATIC_TLS */
  bool is_static;  /* a program that has no dynamic linker */
  bool is_program; /* it has a dynamic linker, and is a program */
  bool
      flagged; /* as something that is not for dlopen: DF_1_PIE, which a program may have, or DF_1_NOOPEN */
  char *copied;    /* a variable that the dynamic linker copies into it, or NULL */
  bool relr;       /* relocations outside the region are packed (DT_RELR) */
  bool moves;      /* it can be loaded at any address */
  bool unscripted; /* linked without urf.ld: the note in the file does not say what this one does */
  const struct machine *machine;
  struct form form;   /* of its words, in the file as well as in processes */
  uint64_t lo, hi;    /* addresses from the first to behind the last PT_LOAD */
  uint64_t tls_size;  /* of its thread-local variables in a thread */
  uint64_t preferred; /* page the image starts at when it is loaded where linked */
  uint64_t align;     /* every load address of it is a multiple: of a page, or of p_align */
  uint64_t file_size;
  uint64_t init, init_array_size; /* DT_INIT, DT_INIT_ARRAYSZ (gABI), 0 for none */
  uint64_t unwind;                /* address of .eh_frame_hdr, 0 for none */
  struct urf_note note;           /* in the byte order of this machine */
  /* note.data up to the end of the heap: of the whole reserve, or of the used heap when frozen */
  uint64_t region_size;
  unsigned char *data; /* the file's bytes from note.data to data_size */
  size_t data_size;
  unsigned char *table; /* of a frozen file: note.table_size bytes, else NULL; but for words in this
                                * machine's order */
  LIST(struct symbol) symbols; /* defined in the region or code, by address, one per address */
  LIST(struct need) needs;     /* undefined dynamic symbols (not TLS), in order of strcmp */
  LIST(uint64_t) links;    /* words outside the region that the dynamic linker fills, by address */
  LIST(struct own) owns;   /* by address */
  size_t n_ifuncs;         /* among them */
  LIST(struct slot) slots; /* by address */
  char build_id[BUILD_ID]; /* hex, "" when there is none */
  uint64_t hash[2];        /* XXH3-128 as urf_note.input_hash says, low half first */
};

/* Reads a turf or a urf library, section headers or not.  Refuses what is neither, saying why and
 * what to do; a file that is not as long as its headers say is refused as well. */
int library_read(struct library *lib, const char *path, struct error *e);
/* Refuses a host program that needs another libc than the library does. */
int library_same_libc(const struct library *lib, const char *program, struct error *e);
/* The same for what write_original has written, which has no section headers; note: the address of .note.urf. */
int library_read_original(struct library *lib, const char *path, uint64_t note, struct error *e);
/* A copy of an unscripted library with all of its note, in a temporary file as file_beside has it. */
int library_complete(const struct library *lib, char **temporary, struct error *e);
/* Gives it another name in messages, when the file read was a temporary one. */
void library_rename(struct library *lib, const char *path);
void library_free(struct library *lib);
/* The symbol that address lies in (the last at or before it, within its size), or NULL. */
const struct symbol *library_symbol(const struct library *lib, uint64_t address);
/* Whether it is a variable that is frozen: a program's copy of it would not be.  In util.c. */
bool own_is_variable(const struct library *lib, const struct own *own);
/* Whether the library imports the name; in that version, when version is not "". */
bool library_needs(const struct library *lib, const char *name, const char *version);
/* Its slot, see struct urf_import, or 0. */
uint64_t library_slot(const struct library *lib, const char *name, const char *version);

/* A symbol that another module offers. */
struct export
{
  char *name, *version; /* version "" when it has none */
  uint64_t value, size;
  bool standard; /* the default version of its name */
  enum { EXPORT_FUNCTION, EXPORT_OBJECT, EXPORT_IFUNC } kind;
};

struct exports {
  LIST(struct export) list; /* by value; no TLS, local or undefined symbols */
  char soname[256];         /* "" when there is none */
  char build_id[BUILD_ID];  /* the same */
};

/* Of any shared object or program, section headers or not. */
int exports_read(struct exports *x, const char *path, struct error *e);
void exports_free(struct exports *x);

/* program.c: for what is not for dlopen, the name of a temporary file that is the same and can be loaded by it;
 * owned by the caller, who removes the file.  NULL and an error when it cannot be made. */
char *program_copy(const char *path, struct error *e);

/* variables.c: the variables of a module */

struct named {
  char *name;
  uint64_t value, size; /* address in the file, or offset in the thread-local variables */
  bool tls, exported;
};

struct variables {
  LIST(struct named) list; /* in no order; a variable may be there several times */
};

/* Of any shared object, as far as it can be read; the caller frees them.  Of what exports nothing, as a static
 * program, whatever linkers leave in its .dynsym, all count as exported. */
void variables_read(struct variables *n, const char *path, bool exports);
void variables_free(struct variables *n);

#endif
