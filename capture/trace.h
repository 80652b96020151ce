/* What the files that answer a traced process share: trace.c places its mappings, clock.c tells it the
 * time, steady.c what else would be another in each process. */
#ifndef TRACE_H
#define TRACE_H

#include "turf.h"

struct sock_filter;
struct user_regs_struct;

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF(test, value, then, otherwise)                                                           \
  BPF_JUMP(BPF_JMP | BPF_##test | BPF_K, value, then, otherwise)
#define TRACE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* trace.c */

/* A process's memory; false when not all of it could be reached. */
bool child_read(int pid, uint64_t from, void *to, size_t n);
bool child_write(int pid, uint64_t to, const void *from, size_t n);
/* The registers at a system call, as those of a process of 64 bits, and back; false when it has gone. */
bool child_get_call(int pid, struct user_regs_struct *regs);
bool child_set_call(int pid, const struct user_regs_struct *regs);
/* Has it go on as if the system call that it is about to make had given that result. */
void child_give(int pid, struct user_regs_struct *regs, long result);
/* SplitMix64 (Steele et al., OOPSLA 2014): a good value for every (seed, step). */
uint64_t draw(unsigned seed, uint64_t step);
/* Whether it is the process that loads the library, not one that it has started. */
bool is_thread_of(int tid, int pid);

/* Where the next mapping of a program of 32 bits shall be, of which only that is known: it is the library's, or the
 * step-th, and has so many bytes, if not fewer. */
uint64_t trace_place(const struct displacement *d, bool library, uint64_t step, uint64_t size);
/* Whether the process has made a mapping for itself that lies there. */
bool trace_overlaps(const struct displacement *d, uint64_t lo, uint64_t size);

/* guests.c: programs of 32 bits that an emulator runs */

/* Appends to a filter that has loaded the number of the system call; returns how many instructions, at most
 * GUESTS_FILTER. */
enum { GUESTS_FILTER = 4 };
size_t guests_filter(struct sock_filter *to, const struct displacement *d);
/* At the first instruction of a program, whose entry is there: it may be the emulator. */
void guests_begin(int pid, uint64_t entry, struct displacement *d);
/* At the start of a system call; true when it is one that the emulator makes for its program, and dealt with. */
bool guests_call(int pid, struct user_regs_struct *regs, struct displacement *d);

/* clock.c: the time; both filters append to one that has loaded the number of the system call what stops
 * at those that they answer, and return how many instructions that is, at most room of them written */

/* How far the clocks of a run go before, in nanoseconds; 0 for the first. */
int64_t clock_shift(unsigned run);
size_t clock_filter(struct sock_filter *to, size_t room);
/* THING_TIME or THING_CPU, by what such a call asks for. */
enum thing clock_thing(const struct user_regs_struct *regs);
/* At the start of such a call.  True when its end has to be handled as well, by clock_end. */
bool clock_begin(int pid, struct user_regs_struct *regs, struct clock *c);
void clock_end(int pid, struct user_regs_struct *regs, struct clock *c);

/* steady.c */

size_t steady_filter(struct sock_filter *to, size_t room);
/* In the child, before exec. */
void steady_me(void);
/* False when it is none of those calls. */
bool steady_call(int pid, struct user_regs_struct *regs, struct displacement *d);
/* At the first instruction of a program: the random bytes of the auxiliary vector, at that address. */
void steady_exec(int pid, uint64_t random, const struct displacement *d);
/* True when the fault was a look at the counter, which has been answered. */
bool steady_fault(int pid, struct displacement *d);

#endif
