// What init said about signals.
// machines: yes
// ldflags: -Wl,-z,nodelete
#include <signal.h>
#include <unistd.h>

#include "feature.h"

static volatile sig_atomic_t count, on_stack;
static char stack[65536];
static int sender;

static void handle(int number)
{
  char here;
  count += number == SIGUSR1;
  on_stack += &here >= stack && &here < stack + sizeof stack;
}

static void tell(int number, siginfo_t *info, void *context)
{
  (void)context;
  sender = info->si_signo == number && info->si_pid == getpid() ? 42 : -1;
}

int urf_init(void)
{
  struct sigaction action;
  stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
  if (sigaltstack(&other, 0))
    return 1;
  memset(&action, 0, sizeof action);
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigaddset(&action.sa_mask, SIGUSR2);
  if (sigaction(SIGUSR1, &action, 0))
    return 1;
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = tell;
  return sigaction(SIGRTMIN, &action, 0) || signal(SIGPIPE, SIG_IGN) == SIG_ERR;
}

void answer(FILE *out)
{
  struct sigaction now;
  CHECK(sigaction(SIGPIPE, 0, &now) == 0 && now.sa_handler == SIG_IGN);
  CHECK(sigaction(SIGUSR1, 0, &now) == 0 && now.sa_handler == handle && now.sa_flags & SA_RESTART);
  CHECK(sigismember(&now.sa_mask, SIGUSR2) && !sigismember(&now.sa_mask, SIGHUP));
  CHECK(sigaction(SIGUSR2, 0, &now) == 0 && now.sa_handler == SIG_DFL);
  fprintf(out, "%d %d %d\n", (int)count, (int)on_stack, sender);
  tell_wrong(out);
}

void mutate(FILE *out)
{
  raise(SIGUSR1);
  raise(SIGRTMIN);
  fprintf(out, "%d %d\n", (int)count, sender);
}
