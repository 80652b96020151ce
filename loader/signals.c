/* What init has told the kernel to do on signals is told again at load. */

#include <signal.h>
#include <string.h>

#include "loader.h"
#include "machine.h"

#define S (&__urf_state)

enum { SIGNALS = 65 };

/* Without the return function that libc puts in, which is the process's own; and with as much of the
 * mask as the kernel has (64 signals), the rest being undefined. */
struct disposition {
  int number, flags;
  void (*handler)(int);
  uint64_t mask;
};

/* Frozen; the last one has number 0. */
static struct disposition *dispositions;

/* Frozen: the thread's other stack. */
static stack_t stack = {.ss_flags = SS_DISABLE};

/* A capture host starts with the standard dispositions. */
void signals_seal(void)
{
  struct sigaction now[SIGNALS];
  unsigned n = 0;
  stack_t other; /* with padding, which need not be the same twice */
  if (!sigaltstack(0, &other)) {
    stack.ss_sp = other.ss_sp;
    stack.ss_flags = other.ss_flags;
    stack.ss_size = other.ss_size;
  }
  for (int i = 1; i < SIGNALS; i++)
    if (HOST(sigaction)(i, 0, &now[i]))
      now[i].sa_handler = SIG_DFL; /* one that libc keeps for itself */
    else
      n += now[i].sa_handler != SIG_DFL;
  if (!n || !(dispositions = urf_malloc((n + 1) * sizeof *dispositions, 0)))
    return;
  struct disposition *d = dispositions;
  for (int i = 1; i < SIGNALS; i++)
    if (now[i].sa_handler != SIG_DFL) {
      *d = (struct disposition){i, now[i].sa_flags & ~URF_SA_RESTORER, now[i].sa_handler, 0};
      memcpy(&d++->mask, &now[i].sa_mask, sizeof d->mask);
    }
}

void signals_replay(void)
{
  if (!(stack.ss_flags & SS_DISABLE) && sigaltstack(&stack, 0))
    thaw_fail("cannot handle signals here:", "sigaltstack");
  for (const struct disposition *d = dispositions; d && d->number; d++) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = d->handler;
    action.sa_flags = d->flags;
    memcpy(&action.sa_mask, &d->mask, sizeof d->mask);
    if (HOST(sigaction)(d->number, &action, 0))
      thaw_fail("cannot handle signals here:", "sigaction");
  }
}
