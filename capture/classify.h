/* What the files of the classification share: classify.c has the rules, apply.c the policy, import.c
 * the search for a symbol, own.c the library's own symbols, dead.c pointers to what is gone, finding.c what no rule explains. */
#ifndef CLASSIFY_H
#define CLASSIFY_H

#include "turf.h"

/* User space ends below this on every 64-bit machine with four levels of page tables (kernel,
 * Documentation/arch/x86/x86_64/mm.rst); what is above are tag bits. */
#define ADDRESS_MASK (((uint64_t)1 << 48) - 1)

/* One need of the library, or one export of a module, and its addresses in the runs. */
struct name {
  const char *name, *version;
  uint64_t *at, *held;
};

/* A place in another module that has been looked for: its import, or none. */
struct known {
  size_t module;
  uint64_t offset; /* from the module's bias, tags included */
  size_t import;
};

struct context {
  struct plan *plan;
  const struct library *lib;
  struct capture *runs;
  size_t n;
  struct policy *policy;
  struct form form;         /* of the words */
  unsigned word, low_byte;  /* bytes of a pointer; the lowest that the biases differ in */
  LIST(struct name) needs;  /* of the library */
  LIST(struct name) ifuncs; /* of all modules */
  LIST(struct known) known;
  struct cover lines[ACTIONS]; /* of the policy */
  size_t fixed;                /* sites that were there before the first span */
  /* Bytes are looked at from a word's lowest to its highest: up, or down where the lowest is the last one */
  bool down;
  size_t next; /* the first of them that is not passed; down: how many are not */
  size_t done; /* every byte before this one is explained; down: it and every one behind it */
  unsigned char *room; /* n pages */
};

#define NO_IMPORT SIZE_MAX

/* The word at that offset, in that run. */
uint64_t value_in(const struct context *x, size_t run, size_t at);
/* The lowest byte in which n numbers differ. */
unsigned lowest_difference(const uint64_t *v, size_t n);
/* Whether the word whose lowest differing byte is at d, and is its byte number low from the lowest on, may be a new
 * one, and where it starts. */
bool word_of(const struct context *x, size_t d, unsigned low, size_t *start);
/* Whether a new word may stand there: inside the region, on nothing that is explained already. */
bool is_free(const struct context *x, size_t start, size_t size);
/* A link-time address, tag bits included. */
bool in_image(const struct context *x, uint64_t address);
const struct mapping *mapping_of(const struct capture *c, uint64_t address);
/* A word that stays the dynamic linker's own; its kind and what goes with that are set. */
void keep_slot(struct context *x, struct site s);
/* Another site, behind all that are explained already or in any order before the first span. */
void add_site(struct context *x, struct site s);

/* apply.c: a policy, which the context need not have */

/* First of all. */
void sort_policy(struct context *x);
/* The first line with this action that has all of the bytes, or NULL. */
struct policy_line *policy_on(const struct context *x, enum action action, size_t at, size_t size);
/* Before anything else is explained: all lines but those that keep. */
void apply_policy(struct context *x);
/* Whether such a line has all of the bytes. */
bool is_settled(const struct context *x, size_t at, size_t size);
/* Afterwards: the proof needs to know of lines that keep. */
void note_keeps(struct context *x);

/* Has the plan explain what the site covers. */
void add_site(struct context *x, struct site s);

/* dead.c */

/* The rule for pointers to what is dead in the live process as well. */
bool is_dead(struct context *x, size_t d);

/* import.c */

/* Whether a word with its lowest differing byte at d leads into that module: where it starts, and
 * to what offset from the bias. */
bool leads_to_module(const struct context *x, size_t module, size_t d, size_t *start,
                     uint64_t *offset);
/* The import that such a word is, as an index into the plan's, or NO_IMPORT. */
size_t import_of(struct context *x, size_t module, size_t start, uint64_t offset);
/* The plan's import with these words, which are copied, as an index; a new one when there is none. */
size_t new_import(struct context *x, const char *name, const char *version, const char *module,
                  enum urf_import_kind kind, int64_t addend);
/* The names that were looked up; the plan's imports stay. */
void imports_free(struct context *x);

/* own.c */

/* Lays down the conditions for the load, and turns pointers that follow a name into imports. */
void name_own_symbols(struct context *x);

/* finding.c */

/* What the byte at d, which no rule explains, belongs to. */
struct finding finding_at(const struct context *x, size_t d);

#endif
