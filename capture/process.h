/* Capture hosts: processes that load a library, with everything displaced. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "library.h"
#include "util.h"

/* run.c: a capture host in a process of its own, and the conversation with it */

struct options {
  const char *input, *output;
  LIST(const char *) inits; /* SYMBOL or SYMBOL:void */
  LIST(const char *) env;
  const char *cwd, *host, *runner, *policy, *keep; /* NULL when not given */
  int runs;
  int time_limit; /* seconds per answer of a process, so per function of init */
  bool fixed;     /* the library is at its preferred base, always */
  bool no_fallback;
  bool falls_back; /* the process is to use the way back of a frozen library */
  bool laid_out;   /* a frozen library has a layout that an earlier run has taught */
  bool no_script;  /* flags for a linker that reads none */
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

/* What a process keeps of its heap, for a capture to have; bits. */
enum book { BOOK_BLOCKS = 1, BOOK_ALLOCATIONS = 2 /* with the former only */ };

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
  bool watched;   /* finds out what init changes outside the region, which takes a while */
  unsigned books; /* enum book: each takes 24 bytes per block or allocation, here and there */
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
/* The words of --runner with one space between them, owned by the caller; relative paths in them are taken from the
 * directory that turf runs in, which is not where the host is started. */
char *runner_words(const char *runner);
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

/* How many mappings of a kind there were, see trace.c. */
struct placed {
  uint64_t kind, n;
};

/* A mapping that the process asked for, there or anywhere, for itself. */
struct made {
  uint64_t lo, size; /* run-time */
  bool for_stack;    /* as libc makes one for a thread that it starts: without access, MAP_STACK */
  bool stack;        /* a thread has started on it */
  /* since the library is there, an emulator found no room at the place chosen, but below */
  bool fell;
};

/* The program of 32 bits that an emulator runs, which reserves addresses for all of it, see guests.c. */
struct guests {
  bool wanted; /* the library has 32 bits, and there is an emulator */
  /* where the emulator keeps where it looks for room next, 0 while it is not known; what was put there last */
  uint64_t variable, place;
  uint64_t base;      /* where the program's address 0 is, 0 while it is not known */
  uint64_t n, others; /* mappings so far; those of copies of the process */
  uint64_t hinted; /* where the emulator was about to put the library, and it was put elsewhere */
  bool opened, loaded; /* the library is to be mapped next, or has been */
};

/* How the mappings of a process are displaced. */
struct displacement {
  struct setting setting;
  uint64_t fixed;      /* the address of the library, or 0 */
  const char *library; /* absolute path of the file that has a place of its own, see trace.c */
  uint64_t reserved;   /* bytes, up to a page more, that glibc reserves for it to align it */
  uint64_t image;      /* the same, without that */
  int pid;             /* the process itself, not one that it starts */
  bool narrow;         /* it has 32 bits, and no emulator */
  bool emulated;       /* it is an emulator's, */
  uint64_t next;       /* which will ask for that place when its program wants any */
  uint64_t program, program_size; /* where that is, with room for its break */
  struct guests guests;
  struct clock clock;
  LIST(struct placed) placed;
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

#endif
