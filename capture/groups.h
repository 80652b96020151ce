/* The findings as a user wants to have them: by cause, and by the variable or the place that allocates. */
#ifndef TURF_GROUPS_H
#define TURF_GROUPS_H

#include "debug.h"
#include "owner.h"
#include "roots.h"

/* What to say of a cause; lines are up to 88 columns. */
struct cause_text {
  const char *word; /* for programs */
  const char *title, *why, *cure;
  const char *action; /* of a line that accepts it; NULL when none does */
};
extern const struct cause_text cause_texts[FIND_CAUSES];

/* A finding, with the bytes of it that a policy has to be about. */
struct entry {
  const struct finding *finding;
  struct subject subject;
  uint64_t key; /* equal for one symbol, or one place that allocates */
  uint64_t lo, hi;
};

/* A call that was under way when a block was allocated. */
struct frame {
  char *
      function; /* of the library, with an offset when there is no debug information; or of another ... */
  char *module; /* ... module, or NULL */
  char *file;   /* or NULL */
  int line;
};
struct frames {
  LIST(struct frame) list; /* innermost first */
};

/* Findings with one cause (and line of a policy that refuses them) in one variable, or in blocks that one place has allocated. */
struct group {
  size_t first, end; /* of the entries */
  size_t blocks;     /* how many of them; 0 for a variable */
  unsigned varies;   /* enum thing, all that any of them varies with */
  struct frames
      stack; /* of the last allocation in the example's block; empty when it is not known */
  const struct entry *example; /* of all entries that which is reached in the fewest steps */
};

struct report {
  const struct library *lib;
  const struct plan *plan;
  const struct capture *runs;
  size_t n;            /* runs */
  struct debug *debug; /* or NULL */
  struct owners owners;
  struct roots roots;
  struct entry *entries;     /* one per finding; those of a group side by side, by address */
  LIST(struct group) groups; /* those of one cause side by side */
};

void report_init(struct report *r, const struct library *lib, const struct plan *plan,
                 const struct capture *runs, size_t n, struct debug *debug);
void report_free(struct report *r);

/* Texts that the caller owns.  A group's: "cache (64 bytes in .bss)", "memory allocated by f+0x20". */
char *group_name(const struct report *r, const struct group *g);
/* The same with what is wrong: "cache (64 bytes in .bss): is not the same in every run". */
char *group_title(const struct report *r, const struct group *g);
/* "function (file:line)", "function (module)". */
char *frame_text(const struct frame *f);
/* The last part of a path, in it. */
const char *file_name(const char *path);
/* How the variables of the library lead to the entry, in C's words as far as debug information tells,
 * "state.first->next" or "state+16 -> block of f+0x20 +8"; NULL when it is in a variable itself, ""
 * when no pointer that was found leads there. */
char *entry_route(const struct report *r, const struct entry *x);
/* What C calls it when it is in a variable: "cache.buckets[17].next"; NULL when that is not known. */
char *entry_field(const struct report *r, const struct entry *x);
/* The value in one run: "0x0123". */
char *entry_value(const struct report *r, const struct entry *x, size_t run);
/* A line for a policy that accepts the entry at *i, and those behind it, up to end, that are its neighbours;
 * *i is moved behind them. */
char *policy_text(struct report *r, size_t *i, size_t end);

/* stacks.c: fills the stacks of the first groups, with one more run of init; not if that fails */
struct work;
void stacks_take(struct work *w, struct report *r);

#endif
