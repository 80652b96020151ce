/* What write.c and dynamic.c share. */
#ifndef TURF_WRITE_H
#define TURF_WRITE_H

#include <gelf.h>
#include <sys/types.h>

#include "turf.h"

/* A table of the dynamic linker, by DT_ entries; size 0 when there is none. */
struct part {
  uint64_t address, size;
  uint64_t left;                  /* bytes of it that stay */
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

/* write.c */

/* A refusal that says what is wrong with the input; -1. */
int write_refuse(struct writer *w, const char *what);
/* The head's offset of size bytes that the dynamic linker sees at address; what is their name. */
int write_find(struct writer *w, const char *what, uint64_t address, uint64_t size, uint64_t *out);
/* Converts size bytes from memory form to the file's, which has the same size. */
int write_form(struct writer *w, void *from, Elf_Type type, size_t size, void *to);

/* dynamic.c */

/* Takes out of the head what the dynamic linker must not do any more: relocate the region, call the
 * constructors.  Sets dynamic, rela, relr and init. */
int write_dynamic(struct writer *w);

#endif
