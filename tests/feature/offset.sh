#!/bin/sh
# Pointers into another module at no symbol of it are good for the build that turf saw: with another one
# init is run, or the load fails.
# timeout: 400
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
build_driver

cat >dep.c <<'END_C'
#ifdef MORE
__attribute__((used)) static int more(void) { return 5; }
static const int before[100] = {MORE};
const int *get_before(void);
const int *get_before(void) { return before; }
#endif
static int twice(int n) { return 2 * n; }
static int numbers[4] = {1, 2, 3, 4};
int (*get_twice(void))(int);
int (*get_twice(void))(int) { return twice; }
int *get_number(int i);
int *get_number(int i) { return &numbers[i]; }
END_C
cat >user.c <<'END_C'
#include "feature.h"
int (*get_twice(void))(int);
int *get_number(int i);
static int (*twice)(int), **list;
static uintptr_t tagged;
int urf_init(void)
{
  twice = get_twice();
  list = malloc(4 * sizeof *list);
  for (int i = 0; i < 4; i++)
    list[i] = get_number(i);
  tagged = (uintptr_t)get_number(2) | (uintptr_t)3 << 56;
  return 0;
}
void answer(FILE *out)
{
  for (int i = 0; i < 4; i++)
    fprintf(out, "%d %d %d\n", twice(*list[i]), list[i] == get_number(i), twice == get_twice());
  fprintf(out, "%d\n", tagged == ((uintptr_t)get_number(2) | (uintptr_t)3 << 56));
}
END_C
mkdir same other none two
build_plain same/libdep.so dep.c -- -Wl,--build-id -Wl,-soname,libdep.so
build_plain other/libdep.so dep.c -- -Wl,--build-id -DMORE=7 -Wl,-soname,libdep.so
build_plain none/libdep.so dep.c -- -Wl,--build-id=none -Wl,-soname,libdep.so
build_plain user-a.so user.c -- "$WORK/same/libdep.so"
build_lib user-b.so user.c -- "$WORK/same/libdep.so" "-Wl,-rpath,$WORK/same"
build_lib user-n.so user.c -- "$WORK/none/libdep.so" "-Wl,-rpath,$WORK/none"
run env LD_LIBRARY_PATH="$WORK/same" "$DRIVER" ./user-a.so >want.txt

# without a build-id there is nothing to go by
expect_refusal 1 build-id "$TURF" freeze user-n.so -o "$OUT"

run "$TURF" freeze user-b.so -o user-c.so >said.txt
grep -q '6 of them at no symbol of libdep.so: .* init is run (build-id [0-9a-f]\{16,\})' said.txt ||
  fail "it does not say what it depends on: $(cat said.txt)"
freeze user-b.so user-d.so --fallback fail
run "$TURF" verify user-c.so
run "$TURF" info user-c.so >info.txt
grep -q 'no symbol, by build-id.* of libdep.so: [0-9]* words' info.txt || fail "info: $(cat info.txt)"
in_dir() { # DIRECTORY LIBRARY
  status=0
  URF_DEBUG=1 LD_LIBRARY_PATH="$WORK/$1" "$DRIVER" -f "$2" >out.txt 2>err.txt || status=$?
}
for form in c d; do
  in_dir same ./user-$form.so
  [ $status -eq 0 ] || fail "$(cat err.txt)"
  same want.txt out.txt "frozen it answers otherwise"
  ! grep 'so init is run' err.txt || fail "it fell back on its init"
done
# its rpath names no directory then, so that the environment decides
cp -r same kept && rm -r same
for dir in other none; do
  in_dir $dir ./user-c.so
  [ $status -eq 0 ] || fail "$(cat err.txt)"
  same want.txt out.txt "with another build it answers otherwise"
  grep -q 'so init is run: .*one build of libdep.so' err.txt || fail "it does not say why: $(cat err.txt)"
  in_dir $dir ./user-d.so
  [ $status -eq 127 ] || fail "it was loaded with another build of what it points into"
  grep -q '^urf: .*user-d.so: .*one build of libdep.so' err.txt || fail "$(cat err.txt)"
done
in_dir kept ./user-c.so
same want.txt out.txt "with the same build elsewhere it answers otherwise"
! grep 'so init is run' err.txt || fail "it fell back although the build is the same"

# two of that build: nothing tells which is meant
need patchelf
mkdir same && cp kept/libdep.so same/ && cp kept/libdep.so two/libcopy.so
run patchelf --set-soname libcopy.so two/libcopy.so
status=0
URF_DEBUG=1 LD_PRELOAD="$WORK/two/libcopy.so" LD_LIBRARY_PATH="$WORK/same" "$DRIVER" -f ./user-c.so >out.txt 2>err.txt || status=$?
[ $status -eq 0 ] || fail "$(cat err.txt)"
run env LD_PRELOAD="$WORK/two/libcopy.so" LD_LIBRARY_PATH="$WORK/same" "$DRIVER" ./user-a.so >want.txt
same want.txt out.txt "with two of that build it answers otherwise"
grep -q 'so init is run: .*one build of libdep.so' err.txt || fail "it took one of two: $(cat err.txt)"

# what libc keeps for itself is not frozen, so neither are pointers to it
cat >kept.c <<'END_C'
#include <time.h>
#include "feature.h"
static char *text;
int urf_init(void)
{
  time_t t = 3 * 86400;
  text = asctime(gmtime(&t));
  return 0;
}
void answer(FILE *out) { fputs(text, out); }
END_C
build_lib kept.so kept.c
expect_refusal 1 text+0 "$TURF" freeze kept.so -o "$OUT"
