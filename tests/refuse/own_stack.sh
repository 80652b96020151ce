#!/bin/sh
# configs: gcc-bfd-glibc clang-lld-glibc
# Init on a stack of the library's own, with what calls left there copied as padding is.  What its caller
# had in registers may be among that, and is refused; nothing of the code that turf has called for each
# allocation may.
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >own.c <<'END'
#include <ucontext.h>
#include "feature.h"

static char stack[1 << 16];
static ucontext_t caller, inside;
static char *kept[20];

__attribute__((noinline)) static void leave(void)
{
  for (int i = 0; i < 20; i++) {
    kept[i] = malloc((size_t)i + 3);
    memset(kept[i], 'a' + i, (size_t)i + 2);
    kept[i][i + 2] = 0;
  }
}

/* Well below the registers that functions save, which are the caller's by right. */
__attribute__((noinline)) static void leave_deeper(void)
{
  char room[600];
  __asm__ volatile("" : "=m"(room));
  leave();
  __asm__ volatile("" : : "m"(room));
}

__attribute__((noinline)) static char *padding(void)
{
  char below[2048], *copy = malloc(1600);
  __asm__ volatile("" : "=m"(below));
  return memcpy(copy, below, 1600);
}

static char *copied;

static void start(void)
{
  leave_deeper();
  copied = padding();
}

int urf_init(void)
{
  getcontext(&inside);
  inside.uc_stack.ss_sp = stack;
  inside.uc_stack.ss_size = sizeof stack;
  inside.uc_link = &caller;
  makecontext(&inside, start, 0);
  swapcontext(&caller, &inside);
  memset(stack, 0, sizeof stack);
  memset(&caller, 0, sizeof caller);
  memset(&inside, 0, sizeof inside);
  return 0;
}
void answer(FILE *out) { fprintf(out, "%s\n", kept[0]); }
END
build_lib own.so own.c
status=0
"$TURF" check own.so >said 2>&1 || status=$?
cat said
[ $status -le 1 ] || fail "status $status"
! grep -q "the host program" said || fail "an address in turf's own process was left on the stack"
