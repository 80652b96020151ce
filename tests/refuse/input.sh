#!/bin/sh
# Input that cannot be frozen: one clear line that names the file, the right status, nothing written.
# configs: gcc-bfd-glibc gcc-lld-musl
# timeout: 300
# shellcheck disable=SC1091,SC2059,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >library.c <<'END'
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
static int *block;
static void *(*copy)(void *, const void *, size_t);
static sigjmp_buf back;
int urf_init(void)
{
  block = malloc(sizeof *block);
  *block = 1;
  return 0;
}
int minus_one(void) { return -1; }
int two(void) { return 2; }
int crash(void) { *(volatile int *)0 = 1; return 0; }
int give_up(void) { abort(); }
int leave(void) { exit(0); }
int orphan(void) { if (fork()) _exit(3); for (;;) pause(); }
static void caught(int signal) { siglongjmp(back, signal); }
int probe(void) { return *(volatile int *)0; }
int handled(void)
{
  signal(SIGSEGV, caught);
  if (!sigsetjmp(back, 1))
    probe();
  signal(SIGSEGV, SIG_DFL);
  return raise(SIGTERM);
}
int later(void)
{
  struct itimerval soon = {{0, 0}, {0, 5000}};
  copy = memcpy;
  return setitimer(ITIMER_REAL, &soon, 0);
}
int hang(void) { for (;;) __asm__ volatile(""); }
int poll_clock(void) { struct timeval t; for (;;) gettimeofday(&t, 0); }
int much(void) { for (int i = 0; i < 100; i++) if (!malloc(1 << 20)) return 1; return 0; }
void no_result(void) { block = malloc(sizeof *block), *block = 5; }
int answer(void) { return *block; }
END
build_plain plain.so library.c
build_lib b.so library.c

refused() { # TEXT FILE ARGUMENT...
  text=$1 file=$2
  shift 2
  expect_refusal 1 "$text" "$TURF" freeze "$file" -o "$OUT" "$@"
  grep -qF -e "${file##*/}" stderr || fail "the message does not name $file"
  [ ! -e "$OUT" ] || fail "output left behind"
}

# no ELF file, or not all of one
echo "no ELF file" >text.so
refused text.so text.so
: >empty.so
refused empty.so empty.so
$CC_CMD -c library.c -o object.o
ar rcs archive.a object.o
ar rcsT thin.a object.o
echo '/* GNU ld script */ INPUT(-lc)' >script.so
refused "is no shared library: it has no segments; link it" object.o
for file in archive.a thin.a script.so; do
  case $file in *.a) kind='an archive of object files' ;; *) kind='a linker script' ;; esac
  refused "is $kind" $file
  refused "name a library linked with cc -shared" $file
done
if command -v clang >/dev/null; then
  clang -flto -c library.c -o bitcode.o
  refused "-flto" bitcode.o
fi
size=$(stat -c %s b.so)
for part in 10 63 100 4096 $((size / 2)) $((size - 1)); do
  head -c $part b.so >short.so
  refused short.so short.so
done
patch_byte() { # OFFSET OCTAL
  cp b.so patched.so
  printf "\\$2" | dd of=patched.so bs=1 seek=$1 conv=notrunc 2>/dev/null
}
patch_byte 4 001            # a file of 32-bit class
refused patched.so patched.so
patch_byte 5 002            # of the other byte order
refused patched.so patched.so
patch_byte 18 002           # for another machine
refused patched.so patched.so
patch_byte 16 001           # an object file
refused patched.so patched.so
patch_byte 16 004           # a core file
refused "is a core file" patched.so
patch_byte 4 007            # of no class, no byte order
refused "is damaged: the start of its ELF header" patched.so
patch_byte 5 007
refused "is damaged: the start of its ELF header" patched.so

refused urf.ld plain.so
refused no_such_init b.so --init no_such_init
refused minus_one b.so --init minus_one
refused two b.so --init urf_init --init two
refused crash b.so --init crash
refused give_up b.so --init give_up
refused leave b.so --init leave
refused "orphan ended the process, with status 3" b.so --init orphan
refused "signal 14" b.so --init later
refused "signal 15" b.so --init handled
! grep -q probe stderr || fail "the message names the place of a fault that was handled"
refused --time-limit b.so --init hang --time-limit 1
refused --time-limit b.so --init poll_clock --runs 2 --time-limit 1
refused __urf_heap_size b.so --init much # the message names a size that is enough
bytes=$(grep -o '__urf_heap_size=[0-9a-fx]*' stderr | head -n 1) ||
  fail "the message does not say how large a heap would be enough"
build_lib large.so library.c -- "-Wl,--defsym=$bytes"
freeze large.so "$OUT" --init much

# an init of a dependency's is not the library's
echo 'int urf_init(void) { return 0; }' >dep.c
echo 'int answer(void) { return 1; }' >none.c
build_plain libdep.so dep.c -- -Wl,-soname,libdep.so
build_lib none.so none.c -- -Wl,--no-as-needed "$WORK/libdep.so" "-Wl,-rpath,$WORK"
refused urf_init none.so
# what the dynamic linker is asked to do that cannot be frozen, or not done
cat >text.c <<'END'
int word, *held;
int urf_init(void) { held = &word; return 0; }
END
$CC_CMD $LD_FLAG -shared -fno-pic -mcmodel=large -Wl,-z,notext -Wl,-z,lazy text.c -o text.so -L"$LIBDIR" -T urf.ld
refused "-fPIC" text.so
cat >ifunc.c <<'END'
static int one(void) { return 1; }
static int (*pick(void))(void) { return one; }
int which(void) __attribute__((ifunc("pick")));
int result;
int urf_init(void) { result = which(); return 0; }
END
build_lib ifunc.so ifunc.c
cat >tls.c <<'END'
static __thread __attribute__((tls_model("initial-exec"))) char much[100000];
int urf_init(void) { return much[5]++; }
END
build_lib tls.so tls.c
refused "-ftls-model=global-dynamic" tls.so
sed 's/100000/65536/' tls.c >tls64.c
build_lib tls64.so tls64.c
refused "-ftls-model=global-dynamic" tls64.so

# relocations packed in ways that the dynamic linker does not know
cat >packed.c <<'END'
static int a[4] = {1, 2, 3, 4}, *b[4] = {a, a + 1, a + 2, a + 3}, *c = a;
int urf_init(void) { c = b[3]; return 0; }
END
if [ $LD = lld ]; then
  build_lib packed.so packed.c -- -O0 -Wl,--pack-dyn-relocs=android
  refused "link it without --pack-dyn-relocs=android" packed.so
  build_lib packed.so packed.c -- -O0 -Wl,--pack-dyn-relocs=relr # which newer ones of musl know
  "$TURF" freeze packed.so -o known.so 2>stderr || grep -q "without --pack-dyn-relocs=relr" stderr || fail "$(cat stderr)"
fi
other=musl
case $LIBC in musl)
  other=glibc
  refused "target_clones" ifunc.so
  ;;
esac
host=$LIBDIR/turf/host-x86_64-$other
refused "is for $LIBC, and --host" b.so --host "$host"

# few descriptors
expect_refusal 3 "ulimit -n" sh -c "ulimit -n 100; exec $TURF freeze b.so -o $OUT"

freeze b.so c.so
refused frozen c.so

# files and directories
expect_refusal 3 missing.so "$TURF" freeze missing.so -o "$OUT"
expect_refusal 3 "$WORK" "$TURF" freeze "$WORK" -o "$OUT"
expect_refusal 3 /nowhere "$TURF" freeze b.so -o /nowhere/c.so
if [ "$(id -u)" != 0 ]; then
  cp b.so secret.so
  chmod 0 secret.so
  expect_refusal 3 secret.so "$TURF" freeze secret.so -o "$OUT"
  mkdir closed
  chmod 500 closed
  expect_refusal 3 closed "$TURF" freeze b.so -o closed/c.so
fi
cp b.so same.so
status=0
"$TURF" freeze same.so -o same.so 2>stderr || status=$?
cat stderr
[ $status -eq 1 ] || [ $status -eq 2 ] || fail "status $status when output and input are the same"
cmp b.so same.so || fail "the input was overwritten"
ln -s same.so link.so
"$TURF" freeze same.so -o link.so 2>stderr && fail "output through a link onto the input"
cmp b.so same.so || fail "the input was overwritten through a link"

if mknod null c 1 3 2>/dev/null; then
  status=0
  "$TURF" freeze b.so -o null 2>stderr || status=$?
  [ $status -eq 3 ] || fail "status $status, output to a device: $(cat stderr)"
  [ -c null ] || fail "the device was replaced"
fi
expect_refusal 3 "$WORK" "$TURF" freeze b.so -o "$WORK"

# usage
expect_refusal 2 -o "$TURF" freeze b.so
expect_refusal 2 INPUT "$TURF" freeze -o "$OUT"
expect_refusal 2 no-such-option "$TURF" freeze b.so -o "$OUT" --no-such-option
expect_refusal 2 runs "$TURF" freeze b.so -o "$OUT" --runs 1
expect_refusal 2 runs "$TURF" freeze b.so -o "$OUT" --runs many
expect_refusal 2 no-such-command "$TURF" no-such-command
expect_refusal 2 usage "$TURF"

# a replaced output keeps nothing of the old one
echo "old contents" >"$OUT"
freeze b.so "$OUT" --init no_result:void
cmp -s "$OUT" c.so && fail "--init SYMBOL:void was not run"
[ "$(stat -c %a "$OUT")" = "$(stat -c %a b.so)" ] || fail "the mode of the file was not kept"
