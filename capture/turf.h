/* Table of contents of the freezer: the steps of the pipeline, each with the file that has it.
 *
 *   read -> run/trace -> capture -> diff -> classify -> place -> write -> prove
 *
 * diff, classify, place and prove are functions over bytes: no file, no process, no libelf.
 * Addresses without the word run-time are link-time addresses; sizes are bytes. */
#ifndef TURF_H
#define TURF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "format.h"

/* util.c */

enum status { DONE = 0, REFUSED = 1, USAGE = 2, SYSTEM = 3, MISMATCH = 4 };

/* What went wrong; text is one or more lines for the user and owned by the struct. */
struct error {
  enum status status;
  char *text;
};

/* All return -1.  The second appends the text of errno, the third (in file.c) that of libelf. */
int fail(struct error *e, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int fail_errno(struct error *e, const char *file, const char *what);
int fail_elf(struct error *e, enum status status, const char *file, const char *what);
void error_free(struct error *e);

/* When there is no memory they end the program, with a message and nothing left behind.  The first
 * does so for NULL and returns anything else; size 0 gives a pointer, too. */
void *xcheck(void *p);
void *xalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xvprintf(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));
char *xprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Where turf's own files are: the directory DIR/../lib of the running DIR/turf.  Owned by the
 * caller. */
char *turf_lib_dir(void);

/* A growing array: n elements of the given size, room for cap of them. */
#define LIST(type)                                                                                 \
  struct {                                                                                         \
    type *at;                                                                                      \
    size_t n, cap;                                                                                 \
  }
#define PUSH(list)                                                                                 \
  (grow(&(list)->at, (list)->n, &(list)->cap, sizeof *(list)->at), &(list)->at[(list)->n++])
void grow(void *array, size_t n, size_t *cap, size_t size);
/* How many of n elements, size bytes apart, come before limit: each has a uint64_t at the offset key, and
 * they are sorted by that. */
size_t count_below(const void *at, size_t n, size_t size, size_t key, uint64_t limit);
#define COUNT_BELOW(list, key, limit)                                                              \
  count_below((list)->at, (list)->n, sizeof *(list)->at, offsetof(__typeof__(*(list)->at), key),   \
              limit)
/* qsort, also of nothing. */
void sort(void *at, size_t n, size_t size, int (*compare)(const void *, const void *));

/* Ranges that may be many and overlap: which of them has all of some bytes? */
struct cover_range {
  size_t offset, end, reach; /* reach: the last end of it and those before it */
  size_t index;
};
struct cover {
  LIST(struct cover_range) list;
};
void cover_add(struct cover *c, size_t offset, size_t size, size_t index);
/* Between the last cover_add and the first cover_find; the caller frees list.at. */
void cover_sort(struct cover *c);
/* The smallest index of those that have all of it, or SIZE_MAX. */
size_t cover_find(const struct cover *c, size_t offset, size_t size);

struct range {
  size_t offset, size; /* in the region */
};

/* Bytes that are not compared: ranges, which may overlap until they are sorted. */
struct mask {
  LIST(struct range) list;
  size_t next; /* the first that does not end before the page which was asked for last */
};
void mask_add(struct mask *m, size_t offset, size_t size);
/* Between the last mask_add and the first mask_page; the caller frees list.at. */
void mask_sort(struct mask *m);
/* Whether any is on the page of n bytes at that offset; pages are asked for in order. */
bool mask_touches(struct mask *m, size_t at, size_t n);
/* Copies those bytes of that page to it from another one. */
void mask_page(struct mask *m, size_t at, size_t n, unsigned char *page, const unsigned char *from);

/* n bits. */
struct bitmap {
  uint64_t *at;
  size_t n;
};
/* All 0; *b is replaced, and owned by the caller, who frees b->at. */
void bitmap_init(struct bitmap *b, size_t n);
void bitmap_set(struct bitmap *b, size_t i, bool value);
bool bitmap_get(const struct bitmap *b, size_t i);
/* The first 1 from i on, or b->n. */
size_t bitmap_next(const struct bitmap *b, size_t i);

struct bytes {
  unsigned char *at;
  size_t n, cap;
};
void put_bytes(struct bytes *b, const void *data, size_t n);
void put_uleb(struct bytes *b, uint64_t n);
/* The number at *at, which is moved behind it; false when it does not end before end. */
bool get_uleb(const unsigned char **at, const unsigned char *end, uint64_t *n);

/* Copies to memory that is all zero, and leaves pages alone that shall be zero. */
void copy_sparse(unsigned char *to, const unsigned char *from, size_t n);

/* A pointer of the file's machine, of word bytes, at any address. */
static inline uint64_t get_word(const void *p, unsigned word)
{
  uint32_t half;
  uint64_t whole;
  if (word == sizeof half)
    return memcpy(&half, p, sizeof half), half;
  return memcpy(&whole, p, sizeof whole), whole;
}

static inline void put_word(void *p, unsigned word, uint64_t value)
{
  uint32_t half = (uint32_t)value;
  if (word == sizeof half)
    memcpy(p, &half, sizeof half);
  else
    memcpy(p, &value, sizeof value);
}

/* Whether an import only says what has to hold at load, and has no words. */
bool is_condition(enum urf_import_kind kind);
/* The value of a word of so many bytes, rotated to the left by less than its bits. */
uint64_t rotate_left(uint64_t value, unsigned word, unsigned by);

/* read.c: what an ELF file says, without libelf types */

enum libc { LIBC_GLIBC, LIBC_MUSL };

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
  enum libc libc;
  uint16_t machine;
  unsigned word;      /* bytes of a pointer */
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
  unsigned char *table;        /* of a frozen file: note.table_size bytes, else NULL */
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

/* variables.c: the variables of a module */

struct named {
  char *name;
  uint64_t value, size; /* address in the file, or offset in the thread-local variables */
  bool tls, exported;
};

struct variables {
  LIST(struct named) list; /* in no order; a variable may be there several times */
};

/* Of any shared object, as far as it can be read; the caller frees them. */
void variables_read(struct variables *n, const char *path);
void variables_free(struct variables *n);

/* run.c: a capture host in a process of its own, and the conversation with it */

struct options {
  const char *input, *output;
  LIST(const char *) inits; /* SYMBOL or SYMBOL:void */
  LIST(const char *) env;
  const char *cwd, *host, *policy, *keep; /* NULL when not given */
  int runs;
  int time_limit; /* seconds per answer of a process, so per function of init */
  bool fixed;     /* the library is at its preferred base, always */
  bool no_fallback;
  bool falls_back; /* the process is to use the way back of a frozen library */
  bool laid_out;   /* a frozen library has a layout that an earlier run has taught */
  bool memcheck;   /* what is not explained is looked for with valgrind */
  bool json, verbose, quiet, suggest;
};

/* Captures that are compared; seeds count on from there, see trace.c. */
enum { MAX_RUNS = 99, SEEDS = 100 };

struct process;

/* What a process gets that depends on more than the library, its options and files; bits. */
enum thing {
  THING_ADDRESS = 1, /* of the library and everything else */
  THING_TIME = 2,
  THING_PROCESS = 4,  /* ids of the process and its parent */
  THING_RANDOM = 8,   /* getrandom(2), AT_RANDOM, /dev/urandom */
  THING_COUNTER = 16, /* of the processor: rdtsc */
  THING_NAME = 32,    /* of the program that loads it */
  THING_CPU = 64,     /* time that the process or thread has used, as its clocks tell */
  THING_OTHER = 128,  /* what cannot be held still */
};

/* How a process is set up. */
struct setting {
  unsigned seed;  /* what depends on chance depends on it: displacements, clock */
  uint64_t align; /* of the library's address */
  /* Everything but OTHER is the same in all processes with this seed, apart from what is varied: the
   * time, or the CPU time, by so many nanoseconds. */
  bool steady;
  enum thing varied; /* or 0 */
  bool memcheck;     /* under valgrind, which gives most things their places */
  int64_t ahead;
  bool watched; /* finds out what init changes outside the region, which takes a while */
  const struct layout *layout; /* of the heap, or NULL */
  const char *stacks; /* NULL, or the allocations whose stacks are wanted: "3,17", counted from 0 */
};

/* Starts the host for lib's libc on the given library file, every mapping of it displaced by
 * amounts of its own.  NULL and an error when it cannot. */
struct process *process_start(const struct options *o, const struct library *lib, const char *path,
                              const struct setting *s, struct error *e);
/* Which things the process has asked for so far; those that it need not ask for are always in. */
unsigned process_asked(const struct process *p);
/* The file that it loads, with no symbolic link in its name. */
const char *process_path(const struct process *p);
/* What it is busy with from now on, for the message when it comes to grief. */
void process_doing(struct process *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One request and the first line of the answer (without newline), valid until the next call. */
const char *process_ask(struct process *p, struct error *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *process_line(struct process *p, struct error *e);
/* A request whose answer is waited for later, while others are asked. */
void process_send(struct process *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Waits until all that have not been listened to since have answered with so many lines, or ended. */
void process_settle(unsigned lines);
/* Has all processes go on, now and then when none is waited for for a while. */
void process_events(struct process *p);
int process_read(struct process *p, void *out, size_t n, struct error *e);
/* The same at once, from an address of the process; false when it is not to be had that way: all of it is to
 * be asked for then. */
bool process_copy(struct process *p, uint64_t from, void *to, size_t n);
/* Where it stopped when it was killed by a signal, 0 when it was not. */
uint64_t process_fault(const struct process *p);
/* The mappings that it has asked for so far, in that order. */
const struct made *process_made(const struct process *p, size_t *n);
/* Its id, as wait(2) knows it. */
int process_id(const struct process *p);
void process_end(struct process *p);
/* Makes process_start's children die with the program, on signals too; call it once. */
void process_setup(void);

/* room.c */

/* Bytes of memory that this process and its children can still have; UINT64_MAX when it is not known. */
uint64_t memory_left(void);
/* That a process has, as far as it can be known. */
uint64_t memory_of(int pid);
/* That this process may run on. */
unsigned processors(void);

/* trace.c (clock.c steady.c): displacing the mappings of a child, and what else it gets; Linux ptrace(2)
 * and seccomp(2) */

struct clock {
  int64_t shift;  /* nanoseconds that the clocks go before */
  int64_t used;   /* and those of processes and threads, when steady */
  bool steady;    /* they go on by */
  uint64_t calls; /* when they are asked */
};

/* A mapping that the process asked for, there or anywhere, for itself. */
struct made {
  uint64_t lo, size; /* run-time */
  bool for_stack;    /* as libc makes one for a thread that it starts: without access, MAP_STACK */
  bool stack;        /* a thread has started on it */
};

/* How the mappings of a process are displaced. */
struct displacement {
  struct setting setting;
  uint64_t fixed;      /* the address of the library, or 0 */
  const char *library; /* absolute path of the file that has a place of its own, see trace.c */
  uint64_t reserved;   /* bytes, up to a page more, that glibc reserves for it to align it */
  int pid;             /* the process itself, not one that it starts */
  struct clock clock;
  uint64_t step; /* mappings so far */
  uint64_t steps_of_children;
  LIST(struct made) made;
  uint64_t drawn, ticks; /* random bytes and looks at the counter so far, when they are answered */
  unsigned asked;        /* enum thing */
  /* the last signal of those that a fault raises: at which instruction of which process */
  uint64_t fault;
  int fault_signal, fault_pid;
};
/* Sets what follows from the setting. */
void trace_prepare(struct displacement *d);
/* What getppid(2) says in a process with that seed, unless it is steady. */
int trace_parent(unsigned seed);
/* In the child, before exec: 0, or -1 and errno. */
int trace_me(const struct displacement *d);
/* After the child has stopped for the first time: 0, or -1 and errno. */
int trace_begin(int pid);
/* Handles one wait status of the child or a descendant; false when it was no stop. */
bool trace_event(int pid, int status, struct displacement *d);

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
  unsigned word;              /* bytes of a pointer */
  uint64_t bias;              /* that the library had */
  uint64_t from, size, by;
  LIST(struct patch) patches; /* by offset */
};

/* All zero; first may be NULL.  -1 and errno when there are no addresses for it. */
int region_init(struct region *g, const struct region *first, size_t room, unsigned word);
void region_free(struct region *g);
/* Where the first run's words that lead to [from, from + size] (run-time) have moved by so much. */
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
};

struct module {
  char *path;
  uint64_t bias, lo, hi; /* lo and hi run-time */
  const struct exports *exports;
};

struct block {
  uint64_t start, size; /* link-time */
  bool used;
};

/* What mmap has given out of a block. */
struct mapped {
  uint64_t lo, hi; /* link-time */
};

struct allocation {
  uint64_t start, size; /* link-time */
  uint64_t caller : 56; /* the same; 0 outside the library */
  uint64_t how : 8;     /* the logarithm of the alignment, or URF_HOW_... */
};

/* Who made an allocation: the addresses that the calls return to, run-time, innermost first. */
struct stack {
  size_t allocation; /* index into capture.allocations */
  LIST(uint64_t) frames;
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
  uint64_t host_lo, host_hi;
  struct region region; /* from note.data on: size bytes, then zeros */
  size_t size;
  uint64_t used;  /* bytes of memory that the process had at its end, the region's among them */
  uint64_t align; /* what the largest alignment that init asked for needs of the bias */
  LIST(struct mapping) mappings;
  LIST(struct made) made; /* of those before there may be nothing left */
  LIST(struct module) modules;
  LIST(struct block) blocks;           /* of the in-image heap, by address */
  LIST(struct mapped) mapped;          /* inside of those, by address */
  enum urf_stray strayed;              /* from the layout, */
  uint64_t strayed_at;                 /* at that allocation, from 0 */
  LIST(struct allocation) allocations; /* all there were, in order; a block may have had several */
  LIST(struct urf_protection) protections; /* pages of the region that are not read-write */
  bool has_hooks;                          /* the library has functions of URF_ON_THAW */
  LIST(uint64_t) inits;                    /* link-time addresses of the init functions */
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
  void *map; /* struct urf_layout */
  size_t size;
};

/* The struct urf_layout for runs like c, appended to out; false when there is none.  before: NULL, or the layout that c had, to which places are added for what it did not expect to be
 * left. */
bool layout_make(struct bytes *out, struct left *left, const struct capture *c,
                 const struct layout *before);
/* Takes *layout's place, which may be NULL. */
int layout_new(struct layout **layout, const struct bytes *bytes, struct error *e);
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
void plan_make_image(struct plan *plan, unsigned word);
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
/* Appends those of n pages, written or not (1 or 0); the caller frees list.at. */
void stretches_find(struct stretches *out, const unsigned char *written, size_t n);

/* The way back, for verify: a plan as far as the table of a frozen file tells (pointers, sites, imports,
 * image and keeps; the proof needs no more).  The library's data are freed. */
int place_read(struct plan *plan, struct library *frozen, struct error *e);
/* Calls f for each line of a recipe, with the word and its argument. */
void recipe_each(const char *recipe, size_t size,
                 void (*f)(void *context, const char *word, const char *argument), void *context);

/* write.c */

/* Writes the urf library to a new file next to output, whose name *temporary receives (owned by the
 * caller, who commits or removes it; set as soon as the file exists).  Behind the table's bytes it
 * puts struct urf_origin records.  Same arguments, same bytes. */
int write_frozen(const struct library *lib, const struct plan *plan, const struct table *t,
                 const char *output, char **temporary, struct error *e);
/* fsync, then rename. */
int write_commit(const char *temporary, const char *output, struct error *e);
/* The turf library inside a urf library, in a new temporary file, see above; without section
 * headers and what no segment holds.  Refuses when it is not, byte for byte, the one that was
 * frozen. */
int write_original(const struct library *frozen, char **temporary, struct error *e);

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
void code_find(const struct code *c, struct offsets *list);
/* Leaves those of a list in order that cannot be sorted out; sorts c->starts. */
int code_sift(struct code *c, struct offsets *list, struct error *e);
/* The caller owns at. */
void code_free(struct code *c);

/* cpu.c: sets plan->cpu, to nothing when the policy (or NULL) says so, and plan->cpu_seen, by a live
 * capture */
int cpu_look(struct plan *plan, struct capture *c, struct policy *policy, struct error *e);

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
