#!/bin/sh
# urf.ld has a place for each section that compilers make, so that --orphan-handling=error is about the user's own
# sections only; those are in the region as always, see sections.c.
# machines: yes
# not: mold it reads no script
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
{
  echo '#include "mix.h"'
  echo '__thread int each; int thread(void) { return each++; }'
  echo 'static int once;'
  echo '__attribute__((constructor(200))) static void early(void) { once++; }'
  echo '__attribute__((destructor(200))) static void late(void) { once++; }'
} >library.c
# without a name a script has for it
cat >own.c <<'END'
#include "library.c"
__attribute__((section("mine"), used)) static int apart = 1;
END
strict=-Wl,--orphan-handling=error
lto=-flto
[ "$CC-$LD" != gcc-lld ] || lto=
for flags in -O2 '-O0 -g -gz' '-O2 -g -gsplit-dwarf' '-g -gdwarf-4 -fdebug-types-section' \
  '-ffunction-sections -fdata-sections -Wl,--gc-sections' "$lto" '-ftest-coverage -fprofile-arcs'; do
  case "$flags $LIBC" in *coverage*musl) continue ;; esac # which has no such library
  case "$flags $MACHINE" in *coverage*' '[a-z]*) continue ;; esac # nor has clang there
  # clang 14 says another floating-point ABI of what it compiles while linking; for the other see link_split_dwarf.c
  case "$flags $CC-$MACHINE" in *lto*clang-riscv64 | *split-dwarf*clang-riscv64) continue ;; esac
  build_lib b.so library.c -- $flags $strict
done
build_lib b.so own.c -- $strict 2>said || :
grep -q "orphan section\|being placed in 'mine'" said || fail "a section without a name was let pass: $(cat said)"
! grep -v "mine\|ld returned\|linker command failed" said | grep . || fail "another one was not"
build_lib b.so library.c -- -O2 $strict
freeze b.so c.so -q
run "$TURF" verify -q c.so
no_new_complaints b.so c.so
