/* Table of contents of the freezer: the steps of the pipeline, each with the file that has it.
 *
 *   read -> run/trace -> capture -> diff -> classify -> place -> write -> prove
 *
 * What they stand on has headers of its own: util.h, library.h (read and what belongs to it), process.h
 * (run and trace).  diff, classify, place and prove are functions over bytes: no file, no process, no libelf.
 * Addresses without the word run-time are link-time addresses; sizes are bytes. */
#ifndef TURF_H
#define TURF_H

#include <stdio.h>

#include "format.h"
#include "library.h"
#include "process.h"
#include "util.h"

/* diff.c: the region of a run, as far as it differs from the first one's */

enum { REGION_PAGE = 4096 };

/* How the bytes of a page are kept. */
enum page_kind {
  PAGE_OWN,     /* as they are */
  PAGE_SAME,    /* they are the first region's */
  PAGE_MOVED,   /* the same, moved: see region_moved */
  PAGE_PATCHED, /* moved, but for some words */
};

/* A word of a page that is patched, at a multiple of its size. */
struct patch {
  uint64_t offset, value;
};

struct region {
  const struct region *first; /* NULL in the first: all pages are its own.  It outlives this one */
  unsigned char *own;         /* room bytes; pages of another kind have no memory here */
  unsigned char *kind;        /* enum page_kind, per page; NULL in the first */
  size_t room;                /* whole pages */
  struct form form;
  uint64_t bias; /* that the library had */
  uint64_t from, size, by;
  const struct bitmap
      *pointers;              /* of a first: which words move, by number; NULL: see region_moved */
  LIST(struct patch) patches; /* by offset */
};

/* All zero; first may be NULL.  -1 and errno when there are no addresses for it. */
int region_init(struct region *g, const struct region *first, size_t room, struct form form);
void region_free(struct region *g);
/* Where the first run's words that lead to [from, from + size] (run-time), or its pointers, have moved by so
 * much. */
void region_moved(struct region *g, uint64_t from, uint64_t size, uint64_t by);
/* The next bytes from at on, in order; all but the last ones are whole pages. */
void region_put(struct region *g, size_t at, const unsigned char *bytes, size_t n);
/* Of the page with that offset. */
enum page_kind region_kind(const struct region *g, size_t at);
/* The bytes of the page that starts there; put into room, unless they are somewhere anyway. */
const unsigned char *region_page(const struct region *g, size_t at, unsigned char *room);
void region_read(const struct region *g, size_t at, size_t n, void *out);
/* The word there, at any offset. */
uint64_t region_word(const struct region *g, size_t at);
unsigned char region_byte(const struct region *g, size_t at);
bool region_is_zero(const struct region *g, size_t at, size_t n);

/* capture.c (modules.c taken.c): what one process looked like after init */

struct mapping {
  uint64_t lo, hi; /* run-time */
  char what[64];   /* "[stack]", "[heap]", last part of a file name, or "" */
  unsigned prot;   /* as in mprotect(2): read 1, write 2, execute 4 */
  uint64_t offset; /* in the file */
};

struct module {
  char *path;
  uint64_t bias, lo, hi; /* lo and hi run-time */
  const struct exports *exports;
};

/* There may be very many of these, and of allocations. */
struct block {
  uint64_t start; /* link-time */
  uint64_t size : 63;
  uint64_t used : 1;
};

/* What mmap has given out of a block. */
struct mapped {
  uint64_t lo, hi; /* link-time */
};

struct allocation {
  uint64_t start;     /* link-time */
  uint64_t size : 56; /* asked for */
  uint64_t how : 8;   /* the logarithm of the alignment, or URF_HOW_... */
  uint32_t caller;    /* from the start of the image; 0 outside of it */
  uint32_t number;    /* of all that there were, in order, from 0 */
};

/* Who made an allocation: the addresses that the calls return to, run-time, innermost first. */
struct stack {
  size_t allocation; /* its number */
  LIST(uint64_t) frames;
};

struct init {
  uint64_t at; /* link-time address */
  bool hidden; /* the library does not export it */
};

struct capture {
  struct process *process; /* still there, to be asked */
  bool ahead;              /* started by capture_ahead */
  bool was_ahead;          /* and taken since, while others may have been under way */
  const struct library *lib;
  unsigned seed;
  uint64_t bias;
  uint64_t frame;  /* run-time address of the frame that called init */
  uint64_t thread; /* pthread_self() there */
  uint64_t tls;    /* run-time address of the library's thread-local variables there, 0 for none */
  uint64_t tls_size;
  uint64_t host_lo, host_hi;
  struct region region; /* from note.data on: size bytes, then zeros */
  size_t size;
  uint64_t
      used; /* bytes of memory that the process had at its end, the region's among them, its books not */
  uint64_t align; /* what the largest alignment that init asked for needs of the bias */
  LIST(struct mapping) mappings;
  LIST(struct made) made; /* of those before there may be nothing left */
  LIST(struct module) modules;
  LIST(struct block) blocks;           /* of the in-image heap, by address */
  LIST(struct mapped) mapped;          /* inside of those, by address */
  enum urf_stray strayed;              /* from the layout, */
  uint64_t strayed_at;                 /* at that allocation, from 0 */
  uint64_t steps;                      /* allocations that there were; */
  LIST(struct allocation) allocations; /* those, in order, whose blocks are left, mappings, areas */
  LIST(struct urf_protection) protections; /* pages of the region that are not read-write */
  bool has_hooks;                          /* the library has functions of URF_ON_THAW */
  LIST(struct init) inits;                 /* in the order in which they ran */
  LIST(char *) world;          /* when watched: what came ("+fd 3 /dev/null") and went with init */
  LIST(struct stack) stacks;   /* by allocation; those that the setting asked for */
  uint32_t cpu[URF_CPU_WORDS]; /* features of the CPU that ran init */
  struct error lost;           /* why it cannot be asked any more */
};

/* Exports of files, read once per path. */
struct module_cache;
struct module_cache *module_cache_new(void);
void module_cache_free(struct module_cache *c);

/* init: run the init functions (a live capture), or only load (a frozen library).  first: NULL, or a
 * region that outlives this one's, and is alike.  In case of failure, too, the caller frees it. */
int capture_take(struct capture *c, const struct options *o, const struct library *lib,
                 const char *path, const struct setting *s, const struct region *first, bool init,
                 struct module_cache *cache, struct error *e);
/* Starts what a capture_take with the same arguments will wait for, which has one that fails on that account
 * done again when no other is under way.  The caller frees it, whether it comes to that or not. */
void capture_ahead(struct capture *c, const struct options *o, const struct library *lib,
                   const char *path, const struct setting *s, bool init);
void capture_free(struct capture *c);
/* Whether the frozen library at path can be loaded where its frozen state cannot be used: its init is
 * then run while it is loaded.  o, also with a time limit, is to say so.  c: empty, or
 * what capture_ahead has started with such options; freed afterwards. */
int capture_fall_back(struct capture *c, const struct options *o, const struct library *lib,
                      const char *path, unsigned seed, struct error *e);
/* Run-time address the symbol has for the library: what its slot holds, or by name when slot is 0
 * (version may be ""), 0 when there is none; held: the pointer that is stored there.  0 as well when the process has come to its end: capture_lost
 * then fails and says why. */
uint64_t capture_resolve(struct capture *c, const char *name, const char *version, uint64_t slot,
                         bool held);
/* Of a process under memcheck: the bits of the region that are undefined, size bytes of them. */
int capture_undefined(struct capture *c, unsigned char *bits, size_t size, struct error *e);
int capture_lost(const struct capture *c, struct error *e);
/* Has a frozen library do the rest of what it does at load, which would have changed the region. */
int capture_thaw(struct capture *c, struct error *e);
/* Bytes of the image, in front of the region, too; zeros where nothing is mapped. */
int capture_read(struct capture *c, uint64_t address, uint64_t size, unsigned char *out,
                 struct error *e);
/* displaced.c: 0 when every thing in the two processes was displaced by an amount of its own; fixed: the library not at
 * all. */
int capture_displaced(const struct capture *a, const struct capture *b, bool fixed,
                      struct error *e);
/* Leaves the two parts of the region as dataN and heapN in dir, which is made when it is not there. */
int capture_keep(const struct capture *c, const struct library *lib, const char *dir, int number,
                 struct error *e);

/* layout.c: where blocks of the heap shall lie, learned from a run */

/* What is left of the heap in the end. */
struct left {
  uint64_t blocks, bytes;                 /* as asked for */
  uint64_t pointer_blocks, pointer_bytes; /* of those that hold pointers */
};

struct layout {
  int fd;    /* for the host programs, which share its memory, of a */
  void *map; /* struct urf_layout, in this machine's order: then a copy, when that is another */
  size_t size;
};

/* The struct urf_layout for runs like c, appended to out; false when there is none.  before: NULL, or the layout that c had, to which places are added for what it did not expect to be
 * left. */
bool layout_make(struct bytes *out, struct left *left, const struct capture *c,
                 const struct layout *before);
/* Takes *layout's place, which may be NULL.  The bytes become the library's order. */
int layout_new(struct layout **layout, struct bytes *bytes, struct form form, struct error *e);
void layout_free(struct layout *layout);
/* Why the run has not been as the layout says; owned by the caller, or NULL. */
char *layout_strayed(const struct capture *c);

/* Whether a byte is not the same in all n runs; in diff.c. */
bool regions_differ(const struct capture *runs, size_t n, size_t at);

/* classify.c: every differing word is explained, or becomes a finding */

enum kind {
  SITE_POINTER,
  SITE_IMPORT,
  SITE_DEAD,
  SITE_KEEP,
  SITE_ZERO,
  SITE_UNWRITTEN, /* zero: what init has never written */
  SITE_RETHAW,    /* zero in the file, and set by a function of URF_ON_THAW */
  SITE_TRANSIENT  /* as the variable starts in a library that is not frozen */
};
/* What a dead pointer led to. */
enum dead { DEAD_FRAME, DEAD_STACK, DEAD_MAPPING, DEAD_KINDS };

struct site {
  size_t offset; /* in the region */
  size_t size;   /* the word, or any number of bytes for KEEP and what follows it */
  enum kind kind;
  bool by_ldso;     /* IMPORT or POINTER: the dynamic linker's own relocation stays */
  size_t import;    /* IMPORT: index into plan.imports */
  uint64_t value;   /* POINTER, and IMPORT that follows an own symbol: the link-time address */
  enum dead dead;   /* DEAD, while freezing */
  unsigned rotated; /* POINTER: bits that the word is rotated to the right by */
  bool set;         /* RETHAW: in no run it was all zero */
};

struct import {
  char *name, *version, *module;
  enum urf_import_kind kind;
  int64_t addend;
  uint64_t slot;
  /* VALUE, while freezing: file of the module and offset from its bias that the pointer leads to */
  char *path;
  uint64_t offset;
};

enum cause {
  FIND_MOVES,  /* in-image pointer to different targets, or null */
  FIND_MIXED,  /* in-image pointer in the run whose state would be kept, something else in others */
  FIND_BASE,   /* follows the base, but is no pointer into the image */
  FIND_MODULE, /* another module without a build-id, at no exported symbol */
  FIND_STACK,  /* live pointer to the caller's stack */
  FIND_HEAP,   /* another allocator's block */
  FIND_THREAD, /* what a static program has of its thread */
  FIND_MAPPING, /* some other mapping */
  FIND_VARIES,  /* no pointer at all */
  FIND_REFUSED, /* by a line of the policy */
  FIND_CAUSES
};

struct policy_line;

struct finding {
  size_t offset;
  unsigned size;
  enum cause cause;
  char what[96]; /* the module or mapping it leads to */
  /* MOVES, BASE, VARIES: enum thing, what it varies with; 0 when that was not to be seen */
  unsigned varies;
  bool plain; /* VARIES: it is the time, or the id of the process, and nothing made of it */
  const struct policy_line *line; /* REFUSED */
  bool stuck; /* MIXED, and to be kept: not to see it at other addresses would be luck */
};

/* A string of the image that tells of its maker. */
struct telltale {
  size_t offset, size;
  char *what; /* what it is: "the home directory", not the string itself */
};

struct plan {
  size_t size;    /* of the region, from note.data to the end of the used heap */
  uint64_t align; /* the bias must be a multiple of it */
  /* Words of the region, by number, that are plain pointers: at a multiple of their size, into the image,
   * whose link-time address is in the image below */
  struct bitmap pointers;
  LIST(struct site) sites; /* what else is explained; by offset, none over another */
  LIST(struct import) imports;
  LIST(struct finding) findings; /* by offset */
  LIST(struct finding) plain;    /* those that are frozen as they were in run 0, with a warning */
  LIST(struct telltale) tells;
  LIST(struct range) keeps; /* by policy: what another init leaves here is not compared */
  LIST(struct urf_protection) protections;
  bool fixed, fallback; /* as in struct urf_note */
  LIST(struct urf_call) calls;
  uint32_t cpu[URF_CPU_WORDS]; /* as in struct urf_note */
  char *cpu_seen;              /* where init may have looked at them, or NULL */
  const char *page_seen;       /* by what init may have learnt the size of pages, or NULL */
  struct bytes recipe;         /* as in struct urf_note */
  unsigned char *image;        /* the bytes the file will hold; they are those of */
  struct region whole;         /* this */
};

struct policy;

/* runs: 2 <= n <= MAX_RUNS live captures whose regions are plan->size bytes each.  policy is bound, or
 * NULL; lines of it that decide something are marked. */
void classify(struct plan *plan, const struct library *lib, struct capture *runs, size_t n,
              struct policy *policy);
void plan_free(struct plan *plan);
/* Of plan->size bytes, all zero. */
void plan_make_image(struct plan *plan, struct form form);
/* Sites by offset. */
void plan_sort(struct plan *plan);
/* A mapping that init made at an address of its choice: it is at the same place in every run, and
 * so are the pointers to it. */
bool mapping_is_fixed(const struct capture *runs, size_t n, const struct mapping *m);

/* policy.c: one line per exception, WHAT ACTION REASON
 *
 * WHAT is process:KIND (a kind of thing outside the library, see outside.c),
 * data:MODULE[:NAME] (variables of another module: of that name, that the function NAME keeps, or
 * NAME an OFFSET:SIZE; see others.c),
 * SYMBOL[#N][+OFFSET[:SIZE]] (the Nth of those of one name, by address)
 * or heap:FUNCTION[#N][+OFFSET[:SIZE]], the Nth (from 1, default 1) surviving block that FUNCTION
 * allocated; #* means all of them, but for those that end before OFFSET + SIZE.  Without SIZE it is
 * the whole symbol or block (from OFFSET on).  Numbers are decimal or 0x-hex; # starts a comment line. */

enum action { ACT_NONE, ACT_KEEP, ACT_ZERO, ACT_TRANSIENT, ACT_RETHAW, ACT_REFUSE, ACTIONS };

struct policy_line {
  char *what, *reason; /* WHAT as written */
  enum action action;
  const char *file;    /* the policy's path */
  unsigned line;       /* in it, from 1 */
  const char *process; /* KIND, or NULL */
  const char *data;    /* MODULE[:NAME], or NULL */
  LIST(struct range)
  ranges;    /* set by policy_bind, by offset, none over another; none with KIND or MODULE */
  bool used; /* a finding or a varying word was decided by it */
};

struct policy {
  char *path;
  LIST(struct policy_line) lines;
};

/* A malformed line is a refusal that names it and says what is wrong. */
int policy_read(struct policy *p, const char *path, struct error *e);
/* Resolves every WHAT in the live capture c; what is not there is a refusal. */
int policy_bind(struct policy *p, const struct library *lib, const struct capture *c,
                struct error *e);
/* Lines that decided nothing are a refusal that names them. */
int policy_check_used(const struct policy *p, struct error *e);
void policy_free(struct policy *p);

/* fallback.c: what a load has to call that cannot use the frozen state: the constructors and init, as
 * the run has them; into the plan, which is with a fallback then. */
int fallback_calls(struct plan *plan, const struct library *lib, struct capture *run,
                   const struct options *o, struct error *e);

/* place.c: the table, as the loader reads it */

/* Offsets and sizes as in struct urf_note. */
struct table {
  struct bytes bytes;
  uint64_t relr, relr_size, stretches, n_stretches, odd, odd_size, rotated, rotated_size;
  uint64_t imports, n_imports, protections, n_protections, recipe, recipe_size, fallback;
  uint64_t n_pointers, n_odd, n_rotated, n_import_sites;
  uint64_t shadows;        /* offset of the shadow words, */
  LIST(uint64_t) shadowed; /* and the addresses of the words that they stand for, in order */
};
/* Replaces *t, for table_free. */
void place(struct table *t, const struct library *lib, const struct plan *plan);
void table_free(struct table *t);

/* stretches.c */

/* Pages that are written at load in one way, counted from the first of the region. */
struct stretch {
  size_t page, n;
  enum urf_way way;
};
struct stretches {
  LIST(struct stretch) list;
};
/* Appends those of n pages, written or not (1 or 0); the caller frees list.at.  Kernels may have pages of unit of
 * these; the first one is that with number skew in its unit. */
void stretches_find(struct stretches *out, const unsigned char *written, size_t n, size_t unit,
                    size_t skew);

/* The way back, for verify: a plan as far as the table of a frozen file tells (pointers, sites, imports,
 * image and keeps; the proof needs no more).  The library's data are freed. */
int place_read(struct plan *plan, struct library *frozen, struct error *e);
/* Calls f for each line of a recipe, with the word and its argument. */
void recipe_each(const char *recipe, size_t size,
                 void (*f)(void *context, const char *word, const char *argument), void *context);

/* order.c */

/* What a file, or a process, has that is not words alone; NUMBER: a uint64_t, of which records of nothing else
 * are made. */
enum order_record {
  RECORD_NUMBER,
  RECORD_NOTE,
  RECORD_IMPORT,
  RECORD_STRETCH,
  RECORD_PROTECTION,
  RECORD_ORIGIN,
  RECORD_COMMON,
  RECORD_FALLBACK,
  RECORD_CALL
};

/* Turns n of them over, at any address, when the library has another byte order: from it as well as to it. */
void order_turn(struct form form, enum order_record record, void *records, uint64_t n);
/* The same for all that is in a table, whose note is in this machine's order; out: to the library's order.
 * What is not inside stays as it is. */
void order_turn_table(struct form form, unsigned char *table, const struct urf_note *n, bool out);

/* write.c */

/* Writes the urf library to a new file next to output, whose name *temporary receives (owned by the
 * caller, who commits or removes it; set as soon as the file exists).  Behind the table's bytes it
 * puts struct urf_origin.  Same arguments, same bytes. */
int write_frozen(const struct library *lib, const struct plan *plan, const struct table *t,
                 const char *output, char **temporary, struct error *e);
/* fsync, then rename. */
int write_commit(const char *temporary, const char *output, struct error *e);
/* The turf library inside a urf library, which place_read has read, in a new temporary file, see above;
 * without section headers and what no segment holds.  Refuses when it is not, byte for byte, the one that
 * was frozen. */
int write_original(const struct library *frozen, const struct plan *plan, char **temporary,
                   struct error *e);

/* prove.c */

/* Holds a capture against the plan: takes out what differs by right (bias of pointers, imports, and
 * in a live one dead words and what policy keeps) and compares the rest with plan->image.  thawed:
 * the capture is of the frozen library.  Appends the offset of each word that is not as it should
 * be, at most cap of them, and returns their number. */
size_t prove(const struct plan *plan, struct capture *c, bool thawed, size_t *bad, size_t cap);
/* What the dynamic linker filled outside the region, in a live process and that of the frozen library:
 * n bytes each from the address first on.  Both have to lead to the same places.  Returns the index
 * of the first of lib->links that does not, or their number. */
size_t prove_links(const struct capture *live, const struct capture *frozen, uint64_t first,
                   const unsigned char *a, const unsigned char *b);

/* report.c */

/* Where an offset of the region is, for people: "symbol+8 (.bss)" or "allocation 17 (48 bytes, by
 * f+0x20) +8"; owned by the caller. */
char *report_place(const struct library *lib, const struct capture *c, size_t offset);
/* The same in the words of a policy file: what policy_bind takes for those bytes. */
char *report_what(const struct library *lib, const struct capture *c, size_t offset, unsigned size);
struct report;
/* The findings in groups (groups.h), with why and cure; all: every group in full, else no more than two
 * screens. */
void report_findings(FILE *f, struct report *r, bool all);
/* A policy that would accept them. */
void report_suggest(FILE *f, struct report *r);

/* What findings vary with, in words; owned by the caller. */
char *report_things(unsigned things);

/* summary.c */

/* Of what a user should know before the library meets a program. */
void report_warnings(FILE *f, const struct library *lib);
void report_tells(FILE *f, const struct library *lib, const struct plan *plan,
                  const struct capture *c);
/* Of what is frozen although it varies, as it was in c. */
void report_plain(FILE *f, const struct library *lib, const struct plan *plan,
                  const struct capture *c);

/* What the freeze did; json: the same facts and the warnings for a program. */
struct summary {
  const char *input, *output; /* output NULL for check */
  double seconds;
  const struct library *lib;
  const struct plan *plan;
  const struct table *table;
  const struct capture *run; /* the first of them */
  int runs;
  const struct left *left; /* of the heap */
  const char *plain;       /* why its layout is the plain one, or NULL */
};
void report_summary(FILE *f, const struct summary *s, bool json);

/* info.c */
/* What turf info says of a turf or urf library. */
int info_print(FILE *f, const char *path, bool json, struct error *e);

/* strings.c */

/* Finds strings in the image that tell of its maker, for plan->tells; policy may be NULL, lines of it that
 * keep such a string are marked. */
void strings_find(struct plan *plan, const struct options *o, const struct library *lib,
                  struct policy *policy);

/* outside.c: what init changed outside the region */

/* Prints (f may be NULL) what is there that no line of the policy (or NULL) accepts, and returns how many
 * kinds; lines that would accept it go to suggestions, if that is not NULL. */
size_t outside_check(FILE *f, FILE *suggestions, const struct capture *c, struct policy *policy);
bool outside_is_kind(const char *word);
/* Whether a line of the policy (or NULL) accepts that kind of thing; marks the line. */
bool outside_accepts(struct policy *policy, const char *word);

/* code.c: places in code that look like an instruction which asks for the CPU's features; those sorted out
 * that are the inside of another one.  Offsets are from the start of the image. */
struct offsets {
  LIST(uint64_t) list;
};
struct code {
  const unsigned char
      *at; /* size bytes of the image as it is loaded, gaps between segments included */
  uint64_t size;
  LIST(struct range) parts; /* that can be executed; to be there before anything is added */
  struct offsets starts;    /* where functions begin */
  struct offsets roots;     /* where other instructions may begin that are not branched to */
};
/* All ignore what is in no part.  The second: what .eh_frame_hdr (LSB core, "Exception frames") at table says;
 * the third: addresses in n bytes, bias above link-time ones, less the image's own start. */
void code_add_start(struct code *c, uint64_t at);
void code_add_unwind(struct code *c, uint64_t table);
void code_add_words(struct code *c, const unsigned char *words, size_t n, uint64_t bias);
/* Adds to list where an instruction that asks may stand, in order. */
void code_find(const struct code *c, const struct machine *m, struct offsets *list);
/* Leaves those of a list in order that cannot be sorted out; sorts c->starts. */
int code_sift(struct code *c, struct offsets *list, struct error *e);
/* The caller owns at. */
void code_free(struct code *c);

/* cpu.c: sets plan->cpu, to nothing when the policy (or NULL) says so, and plan->cpu_seen, by a live
 * capture */
int cpu_look(struct plan *plan, struct capture *c, struct policy *policy, struct error *e);
/* Sets plan->page_seen where kernels of the machine have pages of several sizes. */
void page_look(struct plan *plan, const struct capture *c);

/* others.c: the same for variables of other modules; returns how many.  f may be NULL */
size_t others_check(FILE *f, FILE *suggestions, const struct capture *c, struct policy *policy);

/* freeze.c: the pipeline as a whole; results go to stdout, findings and warnings to stderr */

/* writes: up to the output, else up to the proof of a live run (check).  Both return 0, or -1 and the
 * error. */
int freeze(const struct options *o, bool writes, struct error *e);
int verify(const struct options *o, struct error *e);
/* Removes temporary files; safe to call from a signal handler. */
void freeze_cleanup(void);

#endif
