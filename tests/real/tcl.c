/* Tcl 8.6 as a turf library: an interpreter with its script library, tcl.tcl run. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tcl.h>
#include <urf.h>

#include "library.h"

SCRIPT("tcl.tcl");

static Tcl_Interp *interp;

/* As Tcl_FindExecutable does it, which finds out the encoding of file names by that. */
static void set_locale(void)
{
  setlocale(LC_CTYPE, "");
}
URF_ON_THAW(set_locale);

/* Init has a stack of its own, in the image.  Tcl's optimizer keeps a table by addresses in a buffer
 * on the stack and frees its entries in the order of that table, so that where blocks lie would depend
 * on where the stack is; and what is left of pointers to the stack would be that of the freeze.  It is that of
 * a signal handler, as musl has no makecontext. */
static char stack[1 << 20];
static int failed;

static void start(int number)
{
  (void)number;
  Tcl_FindExecutable(NULL);
  interp = Tcl_CreateInterp();
  failed = Tcl_Init(interp) != TCL_OK || Tcl_Eval(interp, script) != TCL_OK;
  if (failed)
    fprintf(stderr, "tcl: %s\n", Tcl_GetVar(interp, "errorInfo", TCL_GLOBAL_ONLY));
  Tcl_ResetResult(interp);
}

int urf_init(void)
{
  if (interp)
    return 0;
  stack_t before, own = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction old, action = {.sa_handler = start, .sa_flags = SA_ONSTACK | SA_NODEFER};
  sigaltstack(&own, &before);
  sigaction(SIGUSR1, &action, &old);
  raise(SIGUSR1);
  sigaction(SIGUSR1, &old, NULL);
  sigaltstack(&before, NULL);
  memset(stack, 0, sizeof stack);
  return failed;
}

static void call(FILE *out, const char *procedure)
{
  if (Tcl_Eval(interp, procedure) != TCL_OK)
    fprintf(out, "error: ");
  fprintf(out, "%s\n", Tcl_GetStringResult(interp));
}

IN_SCRIPT(answer)
IN_SCRIPT(mutate)
IN_SCRIPT(fresh)

/* Tcl's own tests, those files that the environment names, at the level that they expect.  Results go
 * to stdout.  Some of them wait for something, for which Tcl starts a thread that only Tcl_Finalize
 * ends: dlclose would take the code away below it. */
void suite(FILE *out)
{
  const char *directory = getenv("TCL_TESTS"), *name = getenv("TCL_TEST_FILES");
  char file[100];

  fflush(out);
  call(out, "package require tcltest; namespace import -force ::tcltest::*");
  for (int n; directory && name && sscanf(name, " %99s%n", file, &n) == 1; name += n) {
    char path[4200];

    snprintf(path, sizeof path, "%s/%s.test", directory, file);
    if (Tcl_EvalFile(interp, path) != TCL_OK)
      fprintf(out, "%s: %s\n", file, Tcl_GetStringResult(interp));
  }
  Tcl_Finalize();
}

/* Frees what Tcl frees; urf_init may follow. */
void finish(FILE *out)
{
  Tcl_DeleteInterp(interp);
  interp = NULL;
  fprintf(out, "closed\n");
}
