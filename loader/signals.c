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
  uint64_t mask;
  void (*handler)(int);
  int number, flags;
};

/* What sigaction takes: glibc has the mask last on some machines, musl (include/signal.h) has it here on all. */
union action {
  struct sigaction libc;
  struct {
    void (*handler)(int);
    sigset_t mask;
    int flags;
    void (*restorer)(void);
  } musl;
};

static int is_musls(void)
{
  return URF_SA_MASK_LAST && !dlvsym_or_null;
}

/* Frozen; the last one has number 0. */
static struct disposition *dispositions;

/* Frozen: the thread's other stack. */
static stack_t stack = {.ss_flags = SS_DISABLE};

/* A signal that libc keeps for itself has none. */
static int ask(int number, struct disposition *d)
{
  union action now;
  if (HOST(sigaction)(number, 0, &now.libc) || now.libc.sa_handler == SIG_DFL)
    return 0;
  d->number = number;
  d->handler = now.libc.sa_handler;
  d->flags = (is_musls() ? now.musl.flags : now.libc.sa_flags) & ~URF_SA_RESTORER;
  memcpy(&d->mask, is_musls() ? &now.musl.mask : &now.libc.sa_mask, sizeof d->mask);
  return 1;
}

/* A capture host starts with the standard dispositions. */
void signals_seal(void)
{
  struct disposition found[SIGNALS];
  unsigned n = 0;
  stack_t other; /* with padding, which need not be the same twice */
  if (!sigaltstack(0, &other)) {
    stack.ss_sp = other.ss_sp;
    stack.ss_flags = other.ss_flags;
    stack.ss_size = other.ss_size;
  }
  memset(found, 0, sizeof found);
  for (int i = 1; i < SIGNALS; i++)
    n += (unsigned)ask(i, &found[n]);
  if (n && (dispositions = urf_malloc((n + 1) * sizeof *dispositions, 0)))
    memcpy(dispositions, found, (n + 1) * sizeof *dispositions);
}

void signals_replay(void)
{
  if (!(stack.ss_flags & SS_DISABLE) && sigaltstack(&stack, 0))
    thaw_fail("cannot handle signals here:", "sigaltstack");
  for (const struct disposition *d = dispositions; d && d->number; d++) {
    union action action;
    memset(&action, 0, sizeof action);
    action.libc.sa_handler = d->handler;
    *(is_musls() ? &action.musl.flags : &action.libc.sa_flags) = d->flags;
    memcpy(is_musls() ? &action.musl.mask : &action.libc.sa_mask, &d->mask, sizeof d->mask);
    if (HOST(sigaction)(d->number, &action.libc, 0))
      thaw_fail("cannot handle signals here:", "sigaction");
  }
}
