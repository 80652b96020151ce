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
/* Converts size bytes from memory form to the file's, which has the same size. */
int write_form(struct writer *w, void *from, Elf_Type type, size_t size, void *to);

/* Copies between host and file order; the one place that would have to know of another
 * machine's. */
static inline void write_store(void *out, const void *in, size_t n)
{
  memcpy(out, in, n);
}

/* dynamic.c */

/* Takes out of the head what the dynamic linker must not do any more: relocate the region, call the
 * constructors.  Sets dynamic, rela, relr and init. */
int write_dynamic(struct writer *w);

/* original.c */

/* Makes tail and origin: the table, and behind it what of the input the output has not.  The head
 * is as it will be but for its ELF and program headers and the note, which are to be put
 * afterwards. */
int write_tail(struct writer *w, uint64_t note_offset);

#endif
