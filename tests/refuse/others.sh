#!/bin/sh
# What init changes in variables of libc and of other libraries is named and refused, one by one, and
# accepted by a policy; what nobody would miss is not refused, see feature/libc_state.c.
# configs: gcc-bfd-glibc gcc-lld-musl
# timeout: 400
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >dep.c <<'END'
int dep_count = 5, dep_other[3];
static int hidden = 1;
__thread long dep_mine = 7;
static __attribute__((constructor)) void begin(void) { dep_other[0] = 1; }
void dep_use(void) { dep_count++; }
void dep_hide(void) { hidden += dep_other[0]; }
void dep_here(void) { dep_mine++; }
END
cat >library.c <<'END'
#include <errno.h>
#include <getopt.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#ifdef __GLIBC__
#include <malloc.h>
int tune(void) { return !mallopt(M_ARENA_MAX, 3); }
int tune_more(void) { return !mallopt(M_MMAP_THRESHOLD, 131072); }
int rename_program(void) { program_invocation_name = (char *)"other"; return 0; }
#endif
void dep_use(void);
void dep_hide(void);
void dep_here(void);
static int done;
static __attribute__((constructor)) void begin(void)
{
#ifdef CONSTRUCTOR
  dep_use();
#endif
}
int urf_init(void) { return done++; }
int nothing(void) { return 0; }
int seed(void) { srand(42); return 0; }
int seed_long(void) { srandom(42); return 0; }
int seed_48(void) { srand48(42); return 0; }
int draw(void) { return rand() < 0; }
int scan(void) { static char text[] = "two words"; return !strtok(text, " "); }
int options(void)
{
  char *args[] = {(char *)"program", (char *)"-a", (char *)"word", 0};
  return getopt(3, args, "a") != 'a';
}
int quiet(void) { opterr = 0; return 0; }
int table(void) { return !hcreate(100); }
int log_to(void) { openlog("library", LOG_PID, LOG_MAIL); return 0; }
int log_less(void) { setlogmask(LOG_UPTO(LOG_ERR)); return 0; }
int quick(void) { return at_quick_exit(dep_use); }
int use(void) { dep_use(); return 0; }
int hide(void) { dep_hide(); return 0; }
int here(void) { dep_here(); return 0; }
END
build_plain libdep.so dep.c -- -Wl,-soname,libdep.so
strip libdep.so
build_lib b.so library.c -- -L. -ldep -Wl,-rpath,"\$ORIGIN"

name=libc.so.6
[ $LIBC = glibc ] || name=ld-musl-x86_64.so.1

# changes MODULE NAME INIT: it is refused by that name, and accepted by it
changes() {
  expect_refusal 1 "data:$1:$2 keep REASON" "$TURF" freeze b.so -o "$OUT" --init urf_init --init $3
  echo "data:$1 keep the test wants it" >policy
  "$TURF" check -q b.so --init urf_init --init $3 --policy policy || fail "$3 with a policy"
}
freeze b.so c.so # nothing of it is there before
changes libdep.so dep_count use
changes libdep.so dep_mine here
expect_refusal 1 "libdep.so: 0x" "$TURF" freeze b.so -o "$OUT" --init hide
grep -q "0x1 before, 0x2 now" "$WORK/stderr" || fail "it does not tell the values"
if [ $LIBC = glibc ]; then # where both have the same state
  changes $name random seed
  changes $name random draw
  changes $name random seed_long
else
  changes $name rand seed
  changes $name rand draw
  changes $name random seed_long
fi
changes $name drand48 seed_48
changes $name strtok scan
changes $name optind options
changes $name opterr quiet
changes $name hcreate table
changes $name openlog log_to
changes $name setlogmask log_less
changes $name at_quick_exit quick
if [ $LIBC = glibc ]; then
  changes $name mallopt tune
  changes $name mallopt tune_more
  changes $name program_invocation_name rename_program
fi

# what is suggested is accepted, by offset, too; a line that is about nothing is not
all="--init use --init hide --init here --init quiet"
"$TURF" check --suggest b.so $all >policy 2>/dev/null || :
grep -q '^data:libdep.so:0x[0-9a-f]*:[0-9]* keep REASON$' policy || fail "$(cat policy)"
sed 's/REASON$/the test wants it/' policy >reasoned
freeze b.so c.so $all --policy reasoned
for what in libdep.so:dep_other other.so libdep.so:0x10:4; do
  { cat reasoned && echo "data:$what keep there is none"; } >longer
  expect_refusal 1 "longer:" "$TURF" freeze b.so -o "$OUT" $all --policy longer
done
echo "data: keep there is no module" >nothing
expect_refusal 1 "nothing:1" "$TURF" freeze b.so -o "$OUT" --policy nothing
echo "data:libdep.so zero it cannot be done" >zero
expect_refusal 1 "zero:1" "$TURF" freeze b.so -o "$OUT" --policy zero

"$TURF" check --json b.so --init use >json 2>/dev/null && fail "accepted"
grep -q '"data:libdep.so:dep_count keep REASON"' json || fail "$(cat json)"

# the library's constructors do not run at load; those of another library do
build_lib b.so library.c -- -DCONSTRUCTOR -L. -ldep -Wl,-rpath,"\$ORIGIN"
changes libdep.so dep_count nothing

# a stream that init has taken apart is not as those are that nobody has touched
if [ $LIBC = glibc ]; then
  echo '#include <iostream>
extern "C" int urf_init(void) { return 0; }
extern "C" int untie(void) { return !std::cin.tie(0); }
extern "C" int print(void) { std::cout << std::hex << 5 << std::flush; return 0; }' >streams.cc
  build_lib b.so streams.cc
  changes libstdc++.so.6 _ZSt3cin untie
  changes libstdc++.so.6 _ZSt4cout print
fi
