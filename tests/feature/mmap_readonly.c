// A mapping that was made read-only stays it: a write is an error the library relies on.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "feature.h"

enum { PAGE = 4096 };

static char *table;

int urf_init(void)
{
  table = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(table, "constant");
  return mprotect(table, PAGE, PROT_READ);
}

void answer(FILE *out)
{
  int status = 0;
  fflush(out);
  int pid = fork();
  if (!pid) {
    signal(SIGSEGV, SIG_DFL);
    *table = 'x';
    _exit(0);
  }
  CHECK(waitpid(pid, &status, 0) == pid);
  fprintf(out, "%s, a write %s\n", table, WIFSIGNALED(status) ? "is an error" : "goes through");
  tell_wrong(out);
}
