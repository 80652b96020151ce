#!/bin/sh
# At load the process may have symbols that the process of the freeze did not have: a frozen library
# follows, as the live one does, or it falls back on its init, or it says that it cannot be used there.
# timeout: 400
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
build_driver

# three NAME [FLAG...]: out of NAME.c a.so without turf, b.so with it, frozen c.so, which says when it
# cannot be used, and d.so, which then falls back on its init
three() {
  name=$1
  shift
  build_plain $name-a.so $name.c -- -O1 -fno-builtin "$@"
  build_lib $name-b.so $name.c -- -O1 -fno-builtin "$@"
  freeze $name-b.so $name-c.so -q --fallback fail
  freeze $name-b.so $name-d.so -q
}
with() { # LIBRARY-TO-PRELOAD ARGUMENT...
  preload=$1 library=$3
  shift
  status=0
  env LD_PRELOAD="$WORK/$preload" "$DRIVER" "$@" >out.txt 2>err.txt || status=$?
}
follows() { # LIBRARY-TO-PRELOAD NAME: frozen it answers as live, in that process and without
  for preload in '' "$WORK/$1"; do
    run env LD_PRELOAD="$preload" "$DRIVER" ./$2-a.so >want.txt
    run env LD_PRELOAD="$preload" "$DRIVER" -f ./$2-c.so >out.txt 2>/dev/null
    same want.txt out.txt "with ${preload:-no other module} it answers otherwise"
    run env LD_PRELOAD="$preload" URF_DEBUG=1 "$DRIVER" -f ./$2-d.so >out.txt 2>err.txt
    same want.txt out.txt "with ${preload:-no other module} and a way back it answers otherwise"
    ! grep 'so init is run' err.txt || fail "it fell back on its init"
  done
}
unusable() { # TEXT
  [ $status -ne 0 ] || fail "it was loaded where it cannot be used: $(cat out.txt)"
  [ "$(grep -c ^urf: err.txt)" -eq 1 ] || fail "not one line: $(cat err.txt)"
  grep -q "^urf: .*$1" err.txt || fail "the message does not name $1: $(cat err.txt)"
}
unusable_there() { # TEXT: the last one loaded; with a way back it answers as live
  unusable "$1"
  name=${library%-c.so}
  run env LD_PRELOAD="$WORK/$preload" "$DRIVER" $name-a.so >want.txt
  run env LD_PRELOAD="$WORK/$preload" URF_DEBUG=1 "$DRIVER" -f $name-d.so >out.txt 2>err.txt
  same want.txt out.txt "where it falls back on its init it answers otherwise"
  grep -q "so init is run: .*$1" err.txt || fail "it does not say why it falls back: $(cat err.txt)"
}

# a function of the library's own
cat >own.c <<'END'
#include "feature.h"
int on_event(void) { return 1; }
static int (**callback)(void);
int urf_init(void)
{
  callback = malloc(sizeof *callback);
  *callback = on_event;
  return 0;
}
void answer(FILE *out) { fprintf(out, "%d %d\n", (*callback)(), *callback == on_event); }
END
echo 'int on_event(void) { return 2; }' >other.c
three own
build_plain other.so other.c
follows other.so own
# without a symbol table nothing tells whether it has another name as well
build_lib bare-b.so own.c -- -O1 -fno-builtin -Wl,-s
freeze bare-b.so bare-c.so -q --fallback fail
freeze bare-b.so bare-d.so -q
cp own-a.so bare-a.so
with other.so -f ./bare-c.so
unusable_there on_event

# a function with another name inside the library
cat >alias2.c <<'END'
#include "feature.h"
static int standard(void) { return 1; }
__attribute__((weak, alias("standard"))) int on_event(void);
static int (*volatile fallback)(void), (*volatile use)(void);
int urf_init(void) { fallback = standard; use = on_event; return 0; }
void answer(FILE *out) { fprintf(out, "%d %d\n", fallback(), use()); }
END
three alias2
run "$DRIVER" ./alias2-a.so >want.txt
run "$DRIVER" -f ./alias2-c.so >out.txt 2>/dev/null
same want.txt out.txt "frozen it answers otherwise"
with other.so -f ./alias2-c.so
unusable_there on_event

# a version of its own, which the other one has not
if [ $LIBC = glibc ]; then
  echo 'V1 { global: on_event; urf_init; answer; local: *; };' >v1.map
  echo 'V2 { global: on_event; };' >v2.map
  three own -Wl,--version-script=v1.map
  build_plain other2.so other.c -- -Wl,--version-script=v2.map
  follows other2.so own
  three own
fi

# a program that is not position-independent has a place of its own for the function's address
cat >fixed.c <<'END'
#include <stdio.h>
int on_event(void);
void answer(FILE *);
int urf_init(void);
int main(int argc, char **argv)
{
  (void)argv;
  int (*volatile f)(void) = on_event;
  if (argc > 1 && urf_init())
    return 1;
  answer(stdout);
  return f() != 1;
}
END
for form in a c; do
  $CC_CMD $LD_FLAG -fno-pic -no-pie fixed.c "$WORK/own-$form.so" -o fixed-$form -Wl,-rpath,"$WORK" 2>/dev/null
done
run ./fixed-a init >want.txt
run ./fixed-c >out.txt
same want.txt out.txt "in a program that is not position-independent it answers otherwise"

# a module that was loaded for itself, and has the symbols before the library that it depends on
echo 'int get(void) { return 10; }' >get.c
build_plain libget.so get.c -- -Wl,-soname,libget.so
cat >below.c <<'END'
#include "feature.h"
int get(void);
__attribute__((weak)) int hook(void) { return 1; }
static int (**callback)(void);
int urf_init(void)
{
  callback = malloc(2 * sizeof *callback);
  callback[0] = hook;
  callback[1] = get;
  return 0;
}
void answer(FILE *out)
{
  fprintf(out, "%d %d %d %d\n", callback[0](), hook(), callback[1](), get());
}
END
three below "$WORK/libget.so" "-Wl,-rpath,$WORK"
echo 'int hook(void) { return 2; } int get(void) { return 20; }' >above.c
for form in a c; do
  build_plain above-$form.so above.c -- -Wl,--no-as-needed "$WORK/below-$form.so" "-Wl,-rpath,$WORK"
done
cat >local.c <<'END'
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
  void *above = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  void (*answer)(FILE *) = 0;
  int (*init)(void) = 0;
  if (!above || !(*(void **)&answer = dlsym(above, "answer")))
    return puts(dlerror()), 1;
  *(void **)&init = dlsym(above, "urf_init");
  if (argc > 2 && init())
    return 1;
  answer(stdout);
  return 0;
}
END
$CC_CMD $LD_FLAG -w local.c -o local -ldl
run ./local "$WORK/above-a.so" init >want.txt
run ./local "$WORK/above-c.so" >out.txt
same want.txt out.txt "below a module that has its symbols it answers otherwise"

# a function of libc, taken over by a module that has no versions
cat >upper.c <<'END'
#include <ctype.h>
#include "feature.h"
static int (*volatile upper)(int);
int urf_init(void) { upper = toupper; return 0; }
void answer(FILE *out) { fprintf(out, "%d %d\n", upper('a'), upper == toupper); }
END
cat >interposer.c <<'END'
#include <stdlib.h>
int toupper(int c) { (void)c; return getenv("PATH") ? 1000 : 1001; }
END
three upper
build_plain interposer.so interposer.c -- -fno-builtin
follows interposer.so upper

# the same with bits of the library's own in the pointer
cat >tagged.c <<'END'
#include "feature.h"
int on_event(void) { return 1; }
static volatile uintptr_t high, turned;
int urf_init(void)
{
  high = (uintptr_t)on_event | (uintptr_t)1 << 56;
  turned = (uintptr_t)on_event << 16;
  return 0;
}
void answer(FILE *out)
{
  fprintf(out, "%d\n", ((int (*)(void))(high << 8 >> 8))() + ((int (*)(void))(turned >> 16))());
}
END
[ $BITS = 64 ] || sed -i 's/ | (uintptr_t)1 << 56//; s/high << 8 >> 8/high/; s/on_event << 16/on_event << 4 | (uintptr_t)on_event >> 28/; s/(turned >> 16)/(turned >> 4 | turned << 28)/' tagged.c
three tagged
run "$DRIVER" ./tagged-a.so >want.txt
run "$DRIVER" -f ./tagged-c.so >out.txt 2>/dev/null
same want.txt out.txt "frozen it answers otherwise"
with other.so -f ./tagged-c.so
unusable_there on_event

# a weak function, a constant, a function chosen at load: where the name leads, or not at all
cat >weak.c <<'END'
#include "feature.h"
__attribute__((weak)) int hook(void) { return 1; }
__attribute__((weak)) const int limits[2] = {10, 20};
static int (*volatile callback)(void);
static const int *volatile second;
int urf_init(void) { callback = hook; second = &limits[1]; return 0; }
void answer(FILE *out)
{
  const int *volatile start = limits;
  fprintf(out, "%d %d %d %d\n", callback(), callback == hook, *second, second == start + 1);
}
END
echo 'int hook(void) { return 2; } const int limits[2] = {30, 40};' >hook.c
three weak
build_plain hook.so hook.c
follows hook.so weak

cat >node.c <<'END'
#include "feature.h"
const struct node { int value; } nil_node = {5};
static const struct node *volatile head;
int urf_init(void) { head = &nil_node; return 0; }
void answer(FILE *out) { fprintf(out, "%d %d\n", head->value, head == &nil_node); }
END
three node
echo 'const struct node { int value; } nil_node = {5};' >nil.c
build_plain nil.so nil.c
follows nil.so node

if [ $LIBC = glibc ]; then
  cat >chosen.c <<'END'
#include "feature.h"
static int one(void) { return 1; }
static void *choose(void) { return one; }
int hook(void) __attribute__((ifunc("choose")));
static int (*volatile callback)(void);
int urf_init(void) { callback = hook; return 0; }
void answer(FILE *out) { fprintf(out, "%d %d\n", callback(), callback == hook); }
END
  three chosen
  run "$DRIVER" ./chosen-a.so >want.txt
  run "$DRIVER" -f ./chosen-c.so >out.txt 2>/dev/null
  same want.txt out.txt "frozen it answers otherwise"
  with hook.so -f ./chosen-c.so
  unusable_there hook
fi

# a variable, which a program has a copy of
cat >copy.c <<'END'
#include "feature.h"
const char *greeting = "none";
const char *get(void);
const char *get(void) { return greeting; }
int urf_init(void) { return !(greeting = strdup("hello")); }
void answer(FILE *out) { fprintf(out, "%s\n", greeting); }
END
cat >copier.c <<'END'
#include <stdio.h>
extern const char *greeting;
int main(void) { puts(greeting); return 0; }
END
three copy
$CC_CMD $LD_FLAG -fno-pic -no-pie copier.c "$WORK/copy-c.so" -o copier -Wl,-rpath,"$WORK" 2>/dev/null
if readelf -rW copier | grep -q 'R_.*_COPY.*greeting'; then
  status=0
  ./copier >out.txt 2>err.txt || status=$?
  unusable greeting
  # nor with a way back: the copy was taken of what was frozen
  $CC_CMD $LD_FLAG -fno-pic -no-pie copier.c "$WORK/copy-d.so" -o copier -Wl,-rpath,"$WORK" 2>/dev/null
  status=0
  ./copier >out.txt 2>err.txt || status=$?
  unusable greeting
  # nor where another reason is found first
  cp copy-d.so whole-d.so
  fixed_elsewhere whole-d.so copy-d.so
  status=0
  ./copier >out.txt 2>err.txt || status=$?
  unusable greeting
fi

# a pointer that another module handed out, to what others have a name for as well
cat >dep.c <<'END'
static int numbers[4] = {1, 2, 3, 4};
extern int table[4] __attribute__((alias("numbers")));
int *get_table(void);
int *get_table(void) { return numbers; }
static struct { int answer; } context;
void *dep_context;
void dep_init(void);
void dep_init(void) { context.answer = 42; dep_context = &context; }
END
build_plain libdep.so dep.c -- -Wl,-soname,libdep.so
cat >handed.c <<'END'
#include "feature.h"
int *get_table(void);
static int *table;
int urf_init(void) { table = get_table(); return 0; }
void answer(FILE *out) { fprintf(out, "%d %d\n", table[2], table == get_table()); }
END
echo 'int table[4] = {9, 9, 9, 9};' >shadow.c
build_plain shadow.so shadow.c
three handed "$WORK/libdep.so" "-Wl,-rpath,$WORK"
run "$DRIVER" ./handed-a.so >want.txt
run "$DRIVER" -f ./handed-c.so >out.txt 2>/dev/null
same want.txt out.txt "frozen it answers otherwise"
with shadow.so -f ./handed-c.so
unusable_there table

# one past the end of an array, where another one begins
cat >arrays.c <<'END'
struct { int a[4], b[4]; } both = {{1, 2, 3, 4}, {5, 6, 7, 8}};
__asm__(".globl a, b\n.type a, %object\n.type b, %object\n.size a, 16\n.size b, 16\n"
        ".set a, both\n.set b, both + 16");
END
build_plain libarrays.so arrays.c -- -Wl,-soname,libarrays.so
cat >range.c <<'END'
#include "feature.h"
extern int a[4], b[4];
static int *volatile begin, *volatile end;
int urf_init(void) { begin = a; end = a + 4; return b[0] != 5; }
void answer(FILE *out) { fprintf(out, "%d %d\n", (int)(end - begin), *begin); }
END
cat >own_a.c <<'END'
int a[4] = {9, 9, 9, 9};
END
three range "$WORK/libarrays.so" "-Wl,-rpath,$WORK"
build_plain own_a.so own_a.c
run "$DRIVER" ./range-a.so >want.txt
run "$DRIVER" -f ./range-c.so >out.txt 2>/dev/null
same want.txt out.txt "frozen it answers otherwise"
with own_a.so -f ./range-c.so
unusable_there a

# a variable of another module that is only set by its initialisation
cat >held.c <<'END'
#include "feature.h"
extern void *dep_context;
void dep_init(void);
static void *mine;
int urf_init(void) { dep_init(); mine = dep_context; return !mine; }
void answer(FILE *out) { fprintf(out, "%d\n", *(int *)mine); }
END
build_lib held-b.so held.c -- "$WORK/libdep.so" "-Wl,-rpath,$WORK"
echo 'data:libdep.so keep the program that uses it calls dep_init itself' >policy
expect_refusal 4 mine "$TURF" freeze held-b.so -o "$OUT" --policy policy

# a copy of a variable that the program may change
cat >stream.c <<'END'
#include "feature.h"
static FILE **error;
int urf_init(void) { error = malloc(sizeof *error); *error = stderr; return 0; }
void answer(FILE *out) { fprintf(out, "%d\n", *error == stderr); }
END
cat >reopened.c <<'END'
#include <stdio.h>
__attribute__((constructor)) static void change(void) { stderr = stdout; }
END
three stream
run "$DRIVER" ./stream-a.so >want.txt
run "$DRIVER" -f ./stream-c.so >out.txt 2>/dev/null
same want.txt out.txt "frozen it answers otherwise"
if [ $LIBC = glibc ]; then # it is a constant with musl
  build_plain reopened.so reopened.c
  with reopened.so -f ./stream-c.so
  [ $status -eq 0 ] || grep -q '^urf: .*stderr' err.txt || fail "$(cat err.txt)"
  sed -i '/^base /d' out.txt # the driver's
  [ $status -ne 0 ] || same want.txt out.txt "with another stderr it answers otherwise"
fi

# a pointer that another module handed out, to a version that is not the one of its name
if [ $LIBC = glibc ]; then
  cat >versions.c <<'END'
int old(int n), new(int n);
int old(int n) { return n + 1; }
int new(int n) { return n + 2; }
__asm__(".symver old,step@V1\n.symver new,step@@V2");
int (*get_step(void))(int);
int (*get_step(void))(int) { return old; }
END
  echo 'V1 { global: step; get_step; local: *; }; V2 { global: step; } V1;' >versions.map
  build_plain libversions.so versions.c -- -Wl,-soname,libversions.so \
    -Wl,--version-script=versions.map
  cat >step.c <<'END'
#include "feature.h"
int (*get_step(void))(int);
static int (*step)(int);
int urf_init(void) { step = get_step(); return 0; }
void answer(FILE *out) { fprintf(out, "%d %d\n", step(5), step == get_step()); }
END
  three step "$WORK/libversions.so" "-Wl,-rpath,$WORK"
  run "$DRIVER" ./step-a.so >want.txt
  run "$DRIVER" -f ./step-c.so >out.txt 2>/dev/null
  same want.txt out.txt "frozen it answers otherwise"
fi

# two names of one function, which need not be one at load
if [ $LIBC = glibc ]; then
  cat >alias.c <<'END'
#include "feature.h"
static void *(**move)(void *, const void *, size_t);
static char text[64];
size_t length = 10;
int urf_init(void)
{
  move = malloc(sizeof *move);
  *move = memmove;
  memcpy(text, "0123456789", length);
  return 0;
}
void answer(FILE *out)
{
  (*move)(text, text + 1, length);
  fprintf(out, "%d %s\n", *move == memmove, text);
}
END
  cat >checking.c <<'END'
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t n)
{
  char *a = to;
  const char *b = from;
  if (a < b + n && b < a + n)
    __builtin_trap();
  while (n--)
    *a++ = *b++;
  return to;
}
END
  three alias
  $CC_CMD $LD_FLAG -fPIC -shared -O1 -fno-builtin checking.c -o checking.so
  run "$DRIVER" ./alias-a.so >want.txt
  run "$DRIVER" -f ./alias-c.so >out.txt 2>/dev/null
  same want.txt out.txt "frozen it answers otherwise"
  with checking.so -f ./alias-c.so
  [ $status -eq 0 ] || unusable_there "mem"
  [ $status -ne 0 ] || same want.txt out.txt "with another memcpy it answers otherwise"

  # libc's choice may be a function of the vDSO
  cat >clock.c <<'END'
#include <time.h>
#include "feature.h"
static struct { time_t (*now)(time_t *); } *calls;
int urf_init(void)
{
  calls = malloc(sizeof *calls);
  calls->now = time;
  return 0;
}
void answer(FILE *out) { fprintf(out, "%d\n", calls->now(0) > 0); }
END
  three clock
  run "$DRIVER" ./clock-a.so >want.txt
  run "$DRIVER" -f ./clock-c.so >out.txt 2>/dev/null
  same want.txt out.txt "frozen it answers otherwise"
fi

# another turf library that it depends on, not frozen
echo 'int part(void) { return 5; }' >part.c
build_lib libpart.so part.c -- -Wl,-soname,libpart.so
cat >whole.c <<'END'
#include "feature.h"
int part(void);
static int *number;
int urf_init(void)
{
  number = malloc(sizeof *number);
  *number = part();
  return 0;
}
void answer(FILE *out) { fprintf(out, "%d\n", *number + part()); }
END
three whole "$WORK/libpart.so" "-Wl,-rpath,$WORK"
run "$DRIVER" ./whole-a.so >want.txt
run "$DRIVER" -f ./whole-c.so >out.txt 2>/dev/null
same want.txt out.txt "frozen it answers otherwise"
