/* What the files that write the urf library share. */
#ifndef TURF_WRITE_H
#define TURF_WRITE_H

#include <gelf.h>
#include <string.h>
#include <sys/types.h>

#include "turf.h"

#define BLOCK 4096u /* the smallest hole worth leaving */

/* A table of the dynamic linker, by DT_ entries; size 0 when there is none. */
struct part {
  uint64_t address, size;
  uint64_t left; /* bytes of it that stay */
};

struct writer {
  const struct library *lib;
  const struct plan *plan;
  const struct table *table;
  const char *output;
  struct error *e;
  int in, out;
  Elf *elf; /* conversions, never written by libelf */
  GElf_Ehdr ehdr;
  GElf_Phdr *segments;
  size_t n_segments, last; /* the one with the region */
  mode_t mode;
  size_t size;               /* of the input */
  unsigned char *old, *head; /* the input, as it is and to be patched */
  uint64_t data_offset;
  Elf_Data *dynamic;
  uint64_t dynamic_offset;
  struct part rela, relr, init;
  uint64_t n_relative;           /* at the start of rela */
  size_t init_index;             /* section index of .init_array, 0 when it has none */
  const char *added_name;        /* to the names of sections, or NULL */
  struct bytes tail;             /* .urf.table */
  uint64_t tail_address, origin; /* its address; offset of struct urf_origin in it */
  uint64_t at;                   /* end of the output so far */
};

/* write.c */

/* A refusal that says what is wrong with the input; -1. */
int write_refuse(struct writer *w, const char *what);
/* The head's offset of size bytes that the dynamic linker sees at address; what is their name. */
int write_find(struct writer *w, const char *what, uint64_t address, uint64_t size, uint64_t *out);
/* Whether the segment is of a section that is not in memory, such as .riscv.attributes, and that will be
 * elsewhere in the file: the segment follows. */
bool write_is_outside(const GElf_Phdr *p);
/* Converts size bytes from memory form to the file's, which has the same size. */
int write_form(struct writer *w, void *from, Elf_Type type, size_t size, void *to);

/* dynamic.c */

/* Takes out of the head what the dynamic linker must not do any more: relocate the region, call the
 * constructors.  Sets dynamic, rela, relr and init. */
int write_dynamic(struct writer *w);

/* original.c */

/* Makes tail and origin: the table, and behind it what of the input the output has not.  The head
 * is as it will be but for its program headers and the note, which are to be put afterwards. */
int write_tail(struct writer *w);

/* changes.c: the initialised data of the input, from that of the frozen library */

struct origin_pointer {
  size_t offset;
  bool other; /* rotated, or not all of it in .data: what it was is another matter */
};

struct origin_data {
  struct form form;
  size_t n, limit;            /* bytes; those in .data, of which the frozen library has others */
  unsigned char *bytes, *how; /* as they were; whether they have changed, for changes.c only */
  LIST(struct origin_pointer) pointers; /* of the frozen library */
  LIST(size_t) relative;                /* offsets of words, in order; which is said below */
};

/* size bytes from the region on: those of the frozen library, whose plan it is.  Replaces *d, for
 * origin_data_free. */
void origin_data_init(struct origin_data *d, const struct plan *plan, const struct library *lib,
                      size_t size);
void origin_data_free(struct origin_data *d);

/* How many bytes the input has, with all words that the dynamic linker relocates. */
size_t origin_data_size(const struct library *lib);
/* Makes bytes those of the input, addresses that are relocated being in their words, and relative those of
 * them that are no pointers of the frozen library.  False when relocations are one over the other. */
bool origin_data_compare(struct origin_data *d, const struct plan *plan, const struct library *lib);
/* Appends the word list, see struct urf_origin.  common has room for URF_AGAIN; returns how many it has. */
size_t origin_data_pack(const struct origin_data *d, struct urf_common *common,
                        struct bytes *words);

/* Does what the word list says, to the frozen library's bytes.  False when it is damaged. */
bool origin_data_unpack(struct origin_data *d, const struct urf_common *common, size_t n,
                        const unsigned char *from, const unsigned char *end);
/* Makes relative, to which the site list has been appended, all words that the dynamic linker relocated. */
void origin_data_relocated(struct origin_data *d);

/* entries.c: the entries of .rela.dyn, in the order they had */

struct entry {
  uint64_t offset, info, addend;
};

/* A word that the dynamic linker relocated, by R_RELATIVE. */
struct moved {
  uint64_t address, value;
  bool listed; /* by an entry; else it is one of .relr.dyn */
};

/* Appends what entries_unpack needs.  left: those of them that are still there, in their order; moved: by
 * address; those that have an entry become listed; relative: the info of such an entry. */
void entries_pack(struct bytes *out, const struct entry *was, size_t n, const struct entry *left,
                  size_t n_left, struct moved *moved, size_t n_moved, uint64_t relative);
/* The reverse: *n entries, at most room of them.  False when it is damaged. */
bool entries_unpack(struct entry *out, size_t room, size_t *n, const unsigned char *at,
                    const unsigned char *end, const struct entry *left, size_t n_left,
                    struct moved *moved, size_t n_moved, uint64_t relative);

/* relr.c: RELR, as in the gABI */

struct addresses {
  uint64_t *at;
  size_t n, cap;
};

/* Appends those that a table of n bytes has, in its order. */
void relr_unpack(struct addresses *out, const unsigned char *table, size_t n, struct form form);
/* Of addresses in order, as tightly as it goes; *out is empty. */
void relr_pack(struct bytes *out, const uint64_t *addresses, size_t n, struct form form);

/* rebuild.c: all of the input that follows from the frozen library */

struct rebuild {
  const struct library *lib; /* of either: word and note, as far as they have it in common */
  const struct plan *plan;   /* of the frozen library */
  const unsigned char *table;
  uint64_t table_size;
  struct urf_origin origin;
  const GElf_Phdr *segments; /* of the input */
  size_t n_segments;
  unsigned char *out; /* the input; before rebuild_rest, its tables are the frozen library's */
  size_t size;        /* of its file, at least up to the end of the last segment */
  uint64_t
      shadows; /* address of the shadows, see struct urf_fallback, and of what they stand for */
  const uint64_t *shadowed;
  size_t n_shadowed;
  /* rebuild_data: */
  struct origin_data data;
  struct moved *moved;
  size_t n_moved;
};

/* Sets data and moved.  False when the table is damaged. */
bool rebuild_data(struct rebuild *r);
/* The entries that are left, as they were; owned by the caller.  NULL when they are not in the file. */
struct entry *rebuild_left(const struct rebuild *r);
/* n entries of a file. */
void rebuild_read_entries(struct entry *out, size_t n, const unsigned char *from, struct form form);
/* Puts initialised data and tables.  False when the table is damaged. */
bool rebuild_rest(struct rebuild *r);
/* Of what rebuild_data has set. */
void rebuild_free(struct rebuild *r);

#endif
