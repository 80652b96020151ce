#!/bin/sh
# What init of a static program leaves outside the region is refused, by name; and what else is no program
# that can be frozen.
# timeout: 600
# not: lld-riscv64 ld.lld 14 does not relax code, as which all of glibc is compiled there
# not: mold static programs need urf.ld
# file: static program
# shellcheck disable=SC1091,SC2016,SC2086,SC2154
. "$(dirname "$0")/../lib.sh"
. "$TESTS/static.inc"
has_static_host
[ "$TURF" != none ] || exit 0
# position-independent ones with thread-local variables are not linked there, see feature/static.sh
[ "$LIBC-$MACHINE" != musl-riscv64 ] || kinds=fixed

# refuses PROGRAM TEXT [ARGUMENT...]
refuses() {
  file=$1 says=$2
  shift 2
  [ -z "$RUNNER" ] || set -- "$@" --runner "$RUNNER"
  expect_refusal 1 "$says" "$TURF" freeze "$file" -o "$OUT" "$@"
  ! grep '0x0 before, 0x0 now' "$WORK/stderr" || fail "$file: as if nothing had changed"
}

# refused NAME TEXT BOOT: as a program of each kind
refused() {
  cat >"$1.c" <<END
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "urf.h"
void *kept;
static _Thread_local int own = 4;
static pthread_key_t key;
void handler(int n)
{
  own = n;
}
void leave(void)
{
  own++;
  pthread_key_delete(key);
}
int boot(void)
{
  $3
  return 0;
}
int main(void)
{
  return urf_frozen() ? 0 : boot();
}
END
  for kind in $kinds; do
    turf=1 link_static $kind "$1" "$1.c"
    refuses "$1" "$2" --init boot
  done
}

variables='init changed variables of the C library in the program'
case $LIBC in
musl) stdout=__stdout_FILE ;;
*) stdout=_IO_2_1_stdout_ ;;
esac
refused buffered "$stdout" 'printf("from init");'
refused line "$stdout" 'setvbuf(stdout, NULL, _IONBF, 0);'
refused environment "environ" 'setenv("INIT", "yes", 1);'
refused random "$variables" 'srandom(7);'
refused quick_exit "$variables" 'at_quick_exit(leave);'
refused locale "$variables" 'kept = setlocale(LC_ALL, "C.UTF-8");'
refused key "$variables" 'pthread_key_create(&key, NULL);'
refused thread_local "thread-local own, 0x4 before, 0x11 now" 'own = 17;'
refused thread_local_cure 'Wl,-u,urf_tls' 'own = 17;'
# musl has the few of such a program in a variable of its own
[ $LIBC = musl ] || refused to_thread_local 'Wl,-u,urf_tls' 'kept = &own;'
refused signal "init set signal handlers" 'struct sigaction a = {.sa_handler = handler}; sigaction(SIGUSR1, &a, NULL);'
refused mapping 'points to a mapping' \
  'kept = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);'
refused descriptor 'init left files open' 'if (open("/dev/null", O_RDONLY) < 0) return 1;'
refused stack 'points to the stack' 'extern char **environ; kept = environ;'
refused reserve 'link with -Wl,--defsym=__urf_heap_size=' \
  'for (int i = 0; i < 100; i++) memset(kept = malloc(1 << 20), 1, 1 << 20);'
refused failing 'returned 3' 'return 3;'
where=boot+0x
[ -z "$RUNNER" ] || where='ended with signal 11' # of its program an emulator does not say where
refused crashing "$where" '*(volatile int *)8 = 1;'
if [ "$kinds" != fixed ]; then
  turf=1 link_static pie failing failing.c
  refuses failing '-static -no-pie instead' --init boot --fixed
fi
refuses failing 'has no function absent' --init absent
"${TRIPLE:+$TRIPLE-}strip" buffered
refuses buffered 'has no function boot' --init boot

# turf has to stand before the C library
case $LD-$LIBC in
lld-glibc)
  static=-static-pie
  [ "$kinds" != fixed ] || static='-static -fno-pie'
  ! $CC_CMD $LD_FLAG $static failing.c -o late -I"$TESTS/../loader" -L"$LIBDIR${MACHINE:+/turf/$MACHINE}" -L"$LIBDIR" -T urf.ld 2>said ||
    fail "linked with the C library's malloc"
  grep -q 'Wl,-T,urf.ld' said || fail "lld says: $(cat said)"
  ;;
esac
# the script of all machines where one has its own; lld needs no other
if [ "$LD" = bfd ] && [ -f "$LIBDIR/turf/$MACHINE/urf.ld" ]; then
  ! $CC_CMD $LD_FLAG -static failing.c -o other -I"$TESTS/../loader" -L"$LIBDIR/turf/$MACHINE" -L"$LIBDIR" \
    -Wl,-T,"$LIBDIR/urf.ld" 2>said || fail "linked with the script of other machines"
  grep -q 'turf flags MACHINE' said || fail "ld.bfd says: $(cat said)"
fi
# the loader for static programs in a library
if [ $LIBC = glibc ]; then
  $CC_CMD $LD_FLAG -shared -fPIC failing.c -o mixed.so -I"$TESTS/../loader" -L"$LIBDIR${MACHINE:+/turf/$MACHINE}" -L"$LIBDIR" -Wl,-Bstatic \
    -Wl,-T,urf.ld -Wl,-Bdynamic
  expect_refusal 1 'the loader for static programs' "$TURF" freeze mixed.so -o "$OUT" --init boot
fi
