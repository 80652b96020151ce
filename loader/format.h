/* The on-disk contract between the loader (loader/) and the freezer (capture/), and the
 * handshake between the loader and a capture host.
 *
 * A urf library is an ELF file whose last PT_LOAD ends in
 *
 *     .data  .urf.bss  .urf.heap  .urf.table
 *
 * Pointers into the library are stored there as link-time addresses, imports as zero.  .urf.table
 * lists where they are, and keeps what the freeze replaced; .note.urf says where everything is.
 * Fields have the byte order and the table's words the size of the file's machine. */
#ifndef URF_FORMAT_H
#define URF_FORMAT_H

#include <stdint.h>

#define URF_FORMAT 4u       /* of struct urf_note and everything it leads to */
#define URF_NOTE_NAME "urf" /* gABI note: name, with its NUL four bytes */
#define URF_NOTE_TYPE 1u
#define URF_HOST_VERSION 7u /* of struct urf_host */
#define URF_HOST_SYMBOL "urf_host_handshake"

/* Room for the features of a CPU, in words that the machine's cpu.h names. */
#define URF_CPU_WORDS 24

/* nopl with these four bytes as its displacement: in front of the loader's own instructions that ask for
 * features. */
#define URF_CPU_MARK "\x0f\x1f\x80urf\x7f"
#define URF_CPU_MARK_TEXT ".byte 0x0f, 0x1f, 0x80\n.ascii \"urf\\177\"\n"

/* The address that replaces dead pointers: below every mmap_min_addr a distribution ships
 * (Documentation/admin-guide/sysctl/vm.rst), so never mapped, and not null. */
#define URF_DEAD 0xbad0u

enum urf_flags {
  URF_FROZEN = 1, /* the file is the output of turf freeze */
  URF_FIXED =
      2, /* the frozen state is right where the library was linked to be, and nowhere else */
  /* of the link part: it is a program without a dynamic linker.  The first word at state is then one for
   * the address of a struct urf_host, which the program is started with; all entries of .init_array but
   * the first are the loader's when it is frozen, and the last is always */
  URF_STATIC = 4,
  /* the frozen state is right where the kernel has pages of 4096 bytes, and nowhere else */
  URF_PAGES = 8,
};

/* .note.urf, which the linker script writes (link part) and turf freeze fills (frozen part).
 * Addresses are link-time addresses, sizes are bytes. */
struct urf_note {
  /* gABI note header */
  uint32_t namesz, descsz, type;
  char name[4];
  /* link part */
  uint64_t self;            /* address of this note */
  uint64_t data, bss, heap; /* starts of the three parts of the region */
  uint64_t heap_reserve;    /* bytes the heap may use while init runs */
  uint64_t state;           /* address of the loader's variables, all zero in a frozen file */
  uint64_t init_array;      /* its first word is the loader's constructor */
  uint64_t tm_clones;       /* bytes of .tm_clone_table */
  uint64_t transient;       /* variables that are not frozen, from here to the region */
  uint32_t format, state_size;
  /* frozen part */
  uint32_t flags, machine;             /* enum urf_flags; e_machine */
  uint64_t heap_end;                   /* end of the frozen heap: what free and realloc call ours */
  uint64_t align;                      /* the bias must be a multiple of this */
  uint64_t table, table_size;          /* .urf.table; the following are byte offsets into it */
  uint64_t relr, relr_size;            /* pointers at aligned words: RELR as in the gABI */
  uint64_t stretches, n_stretches;     /* struct urf_stretch, by address: all that relr covers */
  uint64_t odd, odd_size;              /* pointers anywhere else: a site list */
  uint64_t rotated, rotated_size;      /* pointers whose bits are rotated: see below */
  uint64_t imports, n_imports;         /* struct urf_import, in the order of the site lists */
  uint64_t protections, n_protections; /* struct urf_protection */
  uint64_t origin, origin_size;        /* struct urf_origin, and what it leads to */
  uint64_t n_pointers, n_odd, n_rotated, n_import_sites;
  uint64_t image_hash[2];       /* XXH3-128 of this file as input_hash, itself taken as 0 */
  uint64_t input_hash[2];       /* XXH3-128 of the library that was frozen, see urf_origin */
  char tool[16];                /* version of turf, NUL-padded */
  uint64_t recipe, recipe_size; /* how init was run, see below; not read at load */
  uint64_t fallback;            /* byte offset of struct urf_fallback; 0 when there is none */
  /* Features that the CPU must have: those of the one that ran init, or none when init did not ask. */
  uint32_t cpu[URF_CPU_WORDS];
};

/* One symbol outside the library, and a list of the words that hold its address plus addend. */
struct urf_import {
  uint32_t name, version, module; /* byte offsets into the table; version and module may be "" */
  uint32_t kind;                  /* enum urf_import_kind */
  int64_t addend;
  uint64_t slot; /* address of a word where the dynamic linker puts the symbol's address */
                 /* for the library, before any constructor; 0 for none */
  uint64_t sites, sites_size; /* byte offset into the table, bytes */
};

enum urf_import_kind {
  URF_IMPORT_SYMBOL, /* address of the symbol, as the library's own reference would find it */
  URF_IMPORT_VALUE,  /* pointer held in the variable that the symbol names */
  URF_IMPORT_MODULE, /* address of the symbol in that module: the library has no reference to it */
  /* The library's own symbol, whose link-time address is addend, or what has taken its place: the
   * words are pointers as in the file, moved by the distance between the two. */
  URF_IMPORT_FOLLOW,
  /* The place addend bytes from the bias of the module that has the build-id version, in hex; no name. */
  URF_IMPORT_OFFSET,
  URF_IMPORT_TLS,    /* address of the library's thread-local variables in that thread; no name */
  URF_IMPORT_THREAD, /* pthread_self() of the thread that loads the library; no name */
  /* No words, only a condition.  The symbol plus addend must be where the import before this one is:
   * ... */
  URF_IMPORT_SAME,
  /* ... must be a variable that holds that address: ... */
  URF_IMPORT_SAME_VALUE,
  /* ... must be the library's own, at the link-time address addend, or not to be seen at all. */
  URF_IMPORT_OWN,
  URF_IMPORT_KINDS
};

/* Words whose pages are dealt with in one way; their part of relr begins with an address. */
struct urf_stretch {
  uint64_t address,
      size;           /* whole pages, unless they are touched one by one; the last may be shared */
  uint64_t relr_size; /* bytes; the parts are one behind the other */
  uint32_t way;       /* enum urf_way */
  uint32_t unused;
};

/* How private pages are made of pages of the file; where the kernel does not help, by a write to each. */
enum urf_way {
  URF_TOUCH,    /* by a write to each */
  URF_POPULATE, /* all of them in one call: madvise(2), MADV_POPULATE_WRITE */
  URF_COPY      /* all of them copied to fresh memory, which takes their place */
};

/* Pages that init protected: made so again at load. */
struct urf_protection {
  uint64_t address, size;
  uint32_t prot; /* PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4 or none, as in mprotect */
  uint32_t unused;
};

/* The library that was frozen, as far as the frozen one does not have it, behind all else in the table.
 * Its initialised data comes first, and is all that a load may need (see struct urf_fallback): of each
 * word that the freeze has changed, what was there.  With the rest of this, the library can be had back
 * from the frozen file's segments, up to section headers and what no segment holds; input_hash is that
 * of its file contents from the start to the end of the last segment, e_shoff, e_shentsize, e_shnum and
 * e_shstrndx taken as 0.  Offsets into the table, sizes in bytes. */
struct urf_origin {
  uint64_t data_size;         /* of its initialised data, which begins with the region */
  uint64_t common, n_common;  /* struct urf_common, at most URF_AGAIN of them */
  uint64_t words, words_size; /* a word list, see below; its last byte is 0 and not part of it */
  uint64_t relative,
      relative_size; /* a site list: to be relocated, no pointers of the frozen one */
  /* Of its tables of relocations the frozen one has kept the first n_left entries and relr_left bytes.
   * The order of all entries, see capture/entries.c; 1 when their words are 0 in the file. */
  uint64_t rela, n_left, entries, entries_size, cleared;
  uint64_t relr, relr_left; /* addresses; 0 for none */
  uint64_t pieces,
      pieces_size; /* what else differs: ULEB128 distance from the end of the one before,
                                   * as link-time addresses, size, and so many bytes */
};

/* Words side by side that all had one value. */
struct urf_common {
  uint64_t value, n;
};

/* A word list says how to change words of the region: bytes, each the number of words to leave alone first
 * (URF_FAR: and as many more as the ULEB128 number behind it says), and from URF_SHIFT on the index of a
 * struct urf_common or one of these:
 *   URF_AGAIN  ULEB128 distance, size: so many bytes of the list, which begin that far before this one,
 *              are done again; there is no other URF_AGAIN among them
 *   URF_RARE   for one word, a byte with a bit for each byte of the word that changes, the lowest for the
 *              first, and then these
 * It is for a region in which all pointers are relocated, and .bss and what follows it are empty. */
enum {
  URF_SHIFT = 3,
  URF_FAR = (1 << URF_SHIFT) - 1,
  URF_RARE = 0xff >> URF_SHIFT,
  URF_AGAIN = URF_RARE - 1
};

/* How to have the library back as it was linked, at load: where the frozen state cannot be used init
 * runs after all.  Its initialised data is in urf_origin; this is what the dynamic linker and init would
 * have done.  Offsets into the table. */
struct urf_fallback {
  /* Words where the dynamic linker now puts what it would have put into words of the region that init
   * has changed, and a site list of those. */
  uint64_t shadows, n_shadows, sites, sites_size;
  uint64_t calls, n_calls; /* struct urf_call: the constructors but the loader's, and init */
};

struct urf_call {
  uint64_t address;
  uint32_t kind; /* enum urf_call_kind */
  uint32_t unused;
};

enum urf_call_kind {
  URF_CALL_CONSTRUCTOR, /* called as the dynamic linker calls it */
  URF_CALL_INIT,        /* int f(void); 0 says that all went well */
  URF_CALL_VOID,        /* void f(void) */
  URF_CALL_KINDS
};

/* The recipe is text: lines that end in NUL, each a word, a space and its argument.  With it turf
 * can run init again and knows what may differ then:
 *   init SYMBOL[:void]   env NAME=VALUE   cwd DIR   host PROGRAM   runner COMMAND
 *   layout by rehearsal  layout plain: WHY
 *   left N BYTES N BYTES   (allocations, as asked for; those of them with pointers)
 *   keep OFFSET SIZE     zero OFFSET SIZE   rethaw OFFSET SIZE   dead OFFSET
 * The last four are bytes of the region, in hex: with what may differ; cleared; cleared, to be set by
 * the library's hooks; a word that was a dead pointer. */

/* A site list is a sequence of ULEB128 numbers (DWARF 5, 7.6): the distance of each site from the
 * one before, in bytes; the first counts from the start of the region.  In the list of rotated words
 * each distance is followed by another number: by how many bits the pointer was rotated to the
 * right. */

/* Payload of a block of the heap for so many bytes; word is that of a pointer, and what the header in front
 * of it takes.  Payloads begin at multiples of 16. */
static inline uint64_t urf_payload(uint64_t size, unsigned word)
{
  const uint64_t least = 2 * 16 - word;
  return size <= least ? least : ((size + word + 15) & ~(uint64_t)15) - word;
}

/* Where blocks of the heap shall lie, which an earlier run has taught: a step is an allocation, a realloc
 * as well, counted in the order in which they are made.  Offsets are from the heap's start. */
struct urf_step {
  uint64_t size; /* asked for; of a mapping in whole pages, of sbrk's area what it comes to */
  uint64_t
      at; /* of the payload, plus enum urf_step_kind; 0: so many steps as size says are gone by the end */
};
enum urf_step_kind {
  URF_STEP_BLOCK,
  URF_STEP_MAPPING, /* which has no header */
  URF_STEP_AREA,    /* sbrk's */
  URF_STEP_KINDS = 16
};

struct urf_layout {
  uint64_t n;    /* steps, those that are gone as well */
  uint64_t size; /* of all that is left in the end: what is gone by then lies behind it */
  struct urf_step steps[];
};

/* Why a run has not been what the layout says. */
enum urf_stray {
  URF_STRAY_NONE,
  URF_STRAY_SIZE,  /* the step asked for another size or alignment than it did before */
  URF_STRAY_MORE,  /* there were more steps, */
  URF_STRAY_FEWER, /* or fewer */
  URF_STRAY_LEFT,  /* a block is left that was gone before */
  URF_STRAY_ROOM   /* the reserve is too small for it */
};

/* What an allocation was: the logarithm of the alignment, a mapping, or an area of sbrk's.  In the host's
 * records it stands above the caller, from that bit on. */
enum { URF_HOW_MAPPING = 64, URF_HOW_AREA, URF_HOW_SHIFT = 56 };

/* The descriptor by which turf hands a struct urf_layout to the host program. */
enum { URF_LAYOUT_FD = 199 };

/* What a block is when the capture ends: free, used, or a part of a used one that mmap has given and munmap
 * not taken back. */
enum urf_block_kind { URF_BLOCK_FREE, URF_BLOCK_USED, URF_BLOCK_MAPPED };

/* A function to be called at exit, as __cxa_atexit takes it (Itanium C++ ABI, 3.3.6.3). */
struct urf_exit {
  void (*fn)(void *);
  void *arg, *dso;
};

/* Exported by a capture host under URF_HOST_SYMBOL; its presence tells the loader of an unfrozen
 * library that it is being captured.  The host fills the first part, the loader the second. */
struct urf_host {
  uint32_t version;
  const char *library; /* the one that is captured, by the name it is loaded by; NULL for any */
  int fall_back;       /* a frozen library shall take it that its frozen state cannot be used */
  /* called by the loader, before any other constructor of the library: where its image and, in that,
   * the variables begin; NULL for none */
  void (*joined)(const void *image, const void *variables);
  const struct urf_layout *layout; /* of the heap, or NULL */
  /* an allocation: where, how many bytes asked for, who asked, how */
  void (*allocated)(void *block, uintptr_t size, void *caller, unsigned how);
  /* one call per block of the heap, or part, of a kind, in any order, from within seal */
  void (*block)(void *block, uintptr_t size, enum urf_block_kind kind);
  /* a static program says, before it joins: its __cxa_atexit, or NULL, and where its errno is.  The host
   * says what it has taken from the former, when it has the program sealed */
  int (*at_exit)(void (*fn)(void *), void *arg, void *dso);
  const int *error;
  const struct urf_exit *exits;
  uintptr_t n_exits;
  /* in the end, or when it is frozen: its pthread_self(), and where those of its thread-local variables are that are
   * frozen; NULL for none */
  uintptr_t thread;
  const void *tls;
  uintptr_t tls_size;
  /* called by a static program when its constructors have run; does not return */
  void (*loaded)(void);
  /* called by the host after init: ends the capture and clears what must not be kept */
  void (*seal)(void);
  /* runs the hooks that the library has for its load, if it has any: for turf to call when it has held a
   * frozen one against the live one */
  void (*thaw)(void);
  uintptr_t top;               /* run-time end of the used heap */
  uintptr_t missing;           /* bytes that did not fit into the reserve */
  enum urf_stray strayed;      /* from the layout, at that step, */
  uint64_t strayed_at;         /* counted from 0 */
  uintptr_t align;             /* largest alignment that was asked for */
  uint32_t cpu[URF_CPU_WORDS]; /* the features of this CPU */
  uintptr_t refused; /* madvise(2) advice that the frozen library could not follow, or 0 */
};

_Static_assert(sizeof(struct urf_note) == 0x1c0, "urf.ld asserts the same size");
_Static_assert(sizeof(struct urf_import) == 48, "same layout on every machine");

#endif
