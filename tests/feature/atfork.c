// Handlers that init registered for fork.
// machines: yes
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "feature.h"

static int in_parent, in_child, before;

static void prepare(void)
{
  before++;
}
static void parent(void)
{
  in_parent++;
}
static void child(void)
{
  in_child = before;
}

int urf_init(void)
{
  return pthread_atfork(prepare, parent, child);
}

void answer(FILE *out)
{
  fprintf(out, "%d %d %d\n", before, in_parent, in_child);
}

void mutate(FILE *out)
{
  int status = -1;
  fflush(out);
  pid_t pid = fork();
  if (!pid)
    _exit(in_child * 10 + in_parent);
  waitpid(pid, &status, 0);
  fprintf(out, "%d\n", WEXITSTATUS(status));
}
