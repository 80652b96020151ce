/* Table of contents of the freezer: the steps of the pipeline, each with the file that has it.
 *
 *   read -> run/trace -> capture -> diff -> classify -> place -> write -> prove
 *
 * diff, classify, place and prove are functions over bytes: no file, no process, no libelf.
 * Addresses without the word run-time are link-time addresses; sizes are bytes. */
#ifndef TURF_H
#define TURF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "format.h"

/* util.c */

enum status { DONE = 0, REFUSED = 1, USAGE = 2, SYSTEM = 3, MISMATCH = 4 };

/* What went wrong; text is one or more lines for the user and owned by the struct. */
struct error {
  enum status status;
  char *text;
};

/* Both return -1.  The second appends the text of errno, the third that of libelf. */
int fail(struct error *e, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int fail_errno(struct error *e, const char *file, const char *what);
int fail_elf(struct error *e, enum status status, const char *file, const char *what);
void error_free(struct error *e);

/* Aborts the program with a message when there is no memory; size 0 gives a pointer, too. */
void *xalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A growing array: n elements of the given size, room for cap of them. */
#define LIST(type)                                                                                 \
  struct {                                                                                         \
    type *at;                                                                                      \
    size_t n, cap;                                                                                 \
  }
#define PUSH(list) (grow(&(list)->at, (list)->n, &(list)->cap, sizeof *(list)->at), \
                    &(list)->at[(list)->n++])
void grow(void *array, size_t n, size_t *cap, size_t size);

struct bytes {
  unsigned char *at;
  size_t n, cap;
};
void put_bytes(struct bytes *b, const void *data, size_t n);
void put_uleb(struct bytes *b, uint64_t n);

/* read.c: what an ELF file says, without libelf types */

enum libc { LIBC_GLIBC, LIBC_MUSL };

struct symbol {
  char *name;
  uint64_t value, size;
  bool function;
};

/* A word of the region that the dynamic linker writes before any constructor. */
struct slot {
  uint64_t address;
  enum { SLOT_RELATIVE, SLOT_SYMBOL, SLOT_OTHER } kind;
  char *symbol;                   /* SLOT_SYMBOL: its name, */
  uint64_t value;                 /* its address when the library defines it, else 0, */
  int64_t addend;                 /* and what is added */
};

struct library {
  char *path;
  enum libc libc;
  uint16_t machine;
  unsigned word;                  /* bytes of a pointer */
  uint64_t lo, hi;                /* addresses from the first to behind the last PT_LOAD */
  uint64_t preferred;             /* page the image starts at when it is loaded where linked */
  uint64_t file_size;
  struct urf_note note;           /* in the byte order of this machine */
  uint64_t region_size;           /* .data up to the end of .urf.heap as the file has it */
  unsigned char *data;            /* the file's bytes from note.data to data_size */
  size_t data_size;
  LIST(struct symbol) symbols;    /* defined in the region or code, by address, no duplicates */
  LIST(char *) undefined;         /* names it imports, in order of strcmp */
  LIST(struct slot) slots;        /* by address */
  char build_id[65];              /* hex, "" when there is none */
  uint64_t hash[2];               /* XXH3-128 of the file */
};

int library_read(struct library *lib, const char *path, struct error *e);
void library_free(struct library *lib);
/* The symbol that address lies in (or before, within its size), or NULL. */
const struct symbol *library_symbol(const struct library *lib, uint64_t address);
bool library_imports(const struct library *lib, const char *name);

/* A symbol that another module offers. */
struct export {
  char *name, *version;           /* version "" when it has none */
  uint64_t value, size;
  bool standard;                  /* the default version of its name */
  enum { EXPORT_FUNCTION, EXPORT_OBJECT, EXPORT_IFUNC } kind;
};

struct exports {
  LIST(struct export) list;       /* by value */
  char soname[256];
};

int exports_read(struct exports *x, const char *path, struct error *e);
void exports_free(struct exports *x);

/* run.c: a capture host in a process of its own, and the conversation with it */

struct options {
  const char *input, *output;
  LIST(const char *) inits;       /* SYMBOL or SYMBOL:void */
  LIST(const char *) env;
  const char *cwd, *host, *policy, *keep;
  int runs;
  int time_limit;                 /* seconds per process */
  bool json, verbose, quiet, suggest;
};

struct process;

/* Starts the host for lib's libc on the given library file, every mapping of it displaced by amounts
 * that depend on seed only, and aligned to align.  NULL and an error when it cannot. */
struct process *process_start(const struct options *o, const struct library *lib, const char *path,
                              unsigned seed, uint64_t align, struct error *e);
/* One request and the first line of the answer (without newline), valid until the next call. */
const char *process_ask(struct process *p, struct error *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *process_line(struct process *p, struct error *e);
int process_read(struct process *p, void *out, size_t n, struct error *e);
/* Where it stopped when it was killed by a signal, 0 when it was not. */
uint64_t process_fault(const struct process *p);
void process_end(struct process *p);
/* Makes process_start's children die with the program, on signals too; call it once. */
void process_setup(void);

/* trace.c: displacing the mappings of a child; Linux ptrace(2) and seccomp(2) */

/* In the child, before exec: 0, or -1 and errno. */
int trace_me(void);
/* After the child has stopped for the first time. */
int trace_begin(int pid);
/* Handles one wait status of the child or a descendant; false when it was no stop.  Counts the
 * mappings it displaced in *step. */
bool trace_event(int pid, int status, unsigned seed, uint64_t align, uint64_t *step,
                 uint64_t *fault);

/* capture.c: what one process looked like after init */

struct mapping {
  uint64_t lo, hi;                /* run-time */
  char what[64];                  /* "[stack]", "[heap]", last part of a file name, or "" */
  bool writable;
};

struct module {
  char *path;
  uint64_t bias, lo, hi;          /* lo and hi run-time */
  const struct exports *exports;
};

struct block {
  uint64_t start, size;
  bool used;
};

struct allocation {
  uint64_t start, size, caller;   /* caller is 0 outside the library */
};

struct capture {
  struct process *process;        /* still there, to be asked */
  uint64_t bias;
  uint64_t frame;                 /* run-time address of the frame that called init */
  uint64_t host_lo, host_hi;
  unsigned char *region;          /* from note.data on */
  size_t size;
  uint64_t align;
  LIST(struct mapping) mappings;
  LIST(struct module) modules;
  LIST(struct block) blocks;      /* of the in-image heap, by address */
  LIST(struct allocation) allocations; /* all there were, in order */
  LIST(uint64_t) resolved;        /* run-time addresses of symbols asked for, see classify.c */
};

/* Exports of files, read once per path. */
struct module_cache;
struct module_cache *module_cache_new(void);
void module_cache_free(struct module_cache *c);

/* init: run the init functions (a live capture), or only load (a frozen library). */
int capture_take(struct capture *c, const struct options *o, const struct library *lib,
                 const char *path, unsigned seed, uint64_t align, bool init,
                 struct module_cache *cache, struct error *e);
void capture_free(struct capture *c);
/* Run-time address the symbol has for the library, 0 when there is none; held: what is stored there. */
uint64_t capture_resolve(struct capture *c, const char *name, const char *version, bool held);
/* 0 when every thing in the two processes was displaced by an amount of its own. */
int capture_displaced(const struct capture *a, const struct capture *b, struct error *e);
int capture_keep(const struct capture *c, const struct library *lib, const char *dir, int number,
                 struct error *e);

/* diff.c */

struct span {
  size_t offset, size;            /* in the region; every byte of it differs in some run */
};
struct spans {
  LIST(struct span) list;
};
/* Where n regions of equal size differ; spans do not touch. */
void diff(struct spans *out, unsigned char *const *region, size_t n, size_t size);

/* classify.c: every differing word is explained, or becomes a finding */

enum kind { SITE_POINTER, SITE_IMPORT, SITE_DEAD, SITE_ZERO, SITE_KEEP };

struct site {
  size_t offset;                  /* in the region */
  unsigned size;                  /* the word, or any number of bytes for ZERO and KEEP */
  enum kind kind;
  bool by_ldso;                   /* the dynamic linker's own relocation stays and does it */
  size_t import;                  /* index into plan.imports */
  uint64_t value;                 /* what the file holds there, for POINTER, IMPORT and DEAD */
};

struct import {
  char *name, *version, *module;
  enum urf_import_kind kind;
  int64_t addend;
};

enum cause {
  FIND_MOVES,                     /* in-image pointer to different targets */
  FIND_BASE,                      /* follows the base, but is no pointer into the image */
  FIND_MODULE,                    /* another module, at no exported symbol */
  FIND_STACK,                     /* live pointer to the caller's stack */
  FIND_HEAP,                      /* another allocator's block */
  FIND_MAPPING,                   /* some other mapping */
  FIND_VARIES,                    /* no pointer at all */
  FIND_IFUNC,                     /* word the dynamic linker computes */
};

struct finding {
  size_t offset;
  unsigned size;
  enum cause cause;
  char what[96];                  /* the module or mapping it leads to */
};

struct plan {
  size_t size;                    /* of the region */
  LIST(struct site) sites;        /* by offset, none touching another */
  LIST(struct import) imports;
  LIST(struct finding) findings;
  unsigned char *image;           /* the bytes the file will hold */
};

struct policy;

void classify(struct plan *plan, const struct library *lib, struct capture *runs, size_t n,
              const struct spans *spans, struct policy *policy);
void plan_free(struct plan *plan);

/* policy.c: one line per exception, WHAT ACTION REASON */

enum action { ACT_NONE, ACT_KEEP, ACT_ZERO };

struct policy *policy_read(const char *path, struct error *e);
/* Resolves WHAT to places in the region. */
int policy_bind(struct policy *p, const struct library *lib, const struct capture *c,
                struct error *e);
enum action policy_find(struct policy *p, size_t offset, unsigned size);
/* Lines that matched nothing are an error. */
int policy_check_used(const struct policy *p, struct error *e);
void policy_free(struct policy *p);

/* place.c: the table, as the loader reads it */

struct table {
  struct bytes bytes;
  uint64_t relr, relr_size, odd, odd_size, imports, n_imports;
  uint64_t n_pointers, n_odd, n_import_sites;
};
void place(struct table *t, const struct library *lib, const struct plan *plan);

/* write.c */

/* Writes the urf library to o->output, or to a temporary name that *temporary receives (owned by the
 * caller, who renames or removes it). */
int write_frozen(const struct library *lib, const struct plan *plan, const struct table *t,
                 uint64_t align, const char *output, char **temporary, struct error *e);
int write_commit(const char *temporary, const char *output, struct error *e);
/* The turf library inside a urf library, written to a file of that name. */
int write_original(const char *frozen, const char *output, struct error *e);

/* prove.c */

/* Takes what differs by right out of a capture, leaving the bytes the file must hold: pointers
 * without their bias, imports as in the file.  thawed: the capture is of the frozen library, so even
 * words that vary have to be those of the file.  Returns the number of words that are not as the
 * plan says; the first of them go to bad (cap of them). */
size_t prove_normalise(unsigned char *out, const struct library *lib, const struct plan *plan,
                       struct capture *c, bool thawed, size_t *bad, size_t cap);
/* Number of differing words of two images, the first of them in bad. */
size_t prove_compare(const unsigned char *a, const unsigned char *b, size_t size, unsigned word,
                     size_t *bad, size_t cap);

/* report.c */

/* "symbol+8 (.bss)" or "allocation 17 (48 bytes, by f+0x20) +8"; owned by the caller. */
char *place_name(const struct library *lib, const struct capture *c, size_t offset);
/* The same in the words of a policy file. */
char *place_policy(const struct library *lib, const struct capture *c, size_t offset,
                   unsigned size);
void report_findings(FILE *f, const struct library *lib, const struct plan *plan,
                     const struct capture *runs, size_t n);
void report_suggest(FILE *f, const struct library *lib, const struct plan *plan,
                    const struct capture *runs, size_t n);

/* info.c */
int info_print(const char *path, bool json, struct error *e);

/* freeze.c: the pipeline as a whole */
int freeze(const struct options *o, bool writes, struct error *e);
int verify(const struct options *o, struct error *e);
/* Set by signal handlers: the temporary file to remove on the way out. */
void freeze_cleanup(void);

#endif
