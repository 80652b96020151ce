#!/bin/sh
# gdb finds lines, frames and variables in a frozen library.
# not: emulated gdb would see the emulator
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
need gdb

build_driver
cat >library.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static struct thing { struct thing *next; const char *name; int number; } *things;
static int counter = 1;
int urf_init(void)
{
  struct thing *t = malloc(sizeof *t);
  *t = (struct thing){0, strdup("made by init"), 4711};
  things = t;
  counter = 42;
  return 0;
}
void answer(FILE *out)
{
  int local = counter + 1;
  fprintf(out, "%s %d\n", things->name, local); /* HERE */
}
END
build_lib b.so library.c -- -g -O0
freeze b.so c.so
line=$(grep -n HERE library.c | cut -d: -f1)
run gdb -nx -q -batch -ex 'set breakpoint pending on' -ex 'set debuginfod enabled off' \
  -ex "break library.c:$line" -ex run -ex 'print counter' -ex 'print *things' -ex 'print local' \
  -ex 'info symbol things' -ex 'backtrace 1' --args "$DRIVER" -f ./c.so >gdb.txt 2>&1
cat gdb.txt
for text in "library.c:$line" ' = 42' '"made by init"' 'number = 4711' ' = 43' 'answer (out='; do
  grep -qF -e "$text" gdb.txt || fail "gdb does not show: $text"
done
