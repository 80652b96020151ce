#!/bin/sh
# Static programs, position-independent and not: the same program without turf, with it, and frozen has to
# give the same answers.  Those of feature/static have an init that is called boot.
# timeout: 900
# not: lld-riscv64 ld.lld 14 does not relax code, as which all of glibc is compiled there
# not: mold static programs need urf.ld
# file: static program
# shellcheck disable=SC1091,SC2046,SC2086,SC2154
. "$(dirname "$0")/../lib.sh"
. "$TESTS/static.inc"
has_static_host

for source in "$TESTS"/feature/static/*.c*; do
  name=${source##*/}
  name=${name%.*}
  case $source-$LIBC in *.cc-musl) continue ;; esac # Debian has no C++ compiler for it
  for kind in $kinds; do
    # ld.bfd 2.40 takes what it reserves for thread-local variables for relocations of the text, without turf, too
    case $name-$kind-$MACHINE in mutex-pie-riscv64 | threads-pie-riscv64 | tls-pie-riscv64) continue ;; esac
    turf='' link_static $kind plain "$source"
    turf=1 link_static $kind program "$source" $(sed -n 's|^// linked with: ||p' "$source")
    three_forms "$name, $kind"
  done
done

# where it is loaded, and what the program says of itself
if [ "$kinds" != fixed ]; then
  cat >where.c <<'END'
#include <stdio.h>
#include "urf.h"
static int *place, booted;
int boot(void)
{
  place = &booted;
  return booted++;
}
int main(void)
{
  int frozen = urf_frozen();
  struct urf_stats stats = urf_stats();
  if (!frozen)
    boot();
  printf("%d %d %d\n", frozen, booted, place == &booted);
  if ((stats.words > 0) != frozen || (stats.pages > 0) != frozen || (stats.nanoseconds > 0) != frozen)
    printf("stats: %d %d %d\n", (int)stats.words, (int)stats.pages, (int)stats.nanoseconds);
  fprintf(stderr, "%p\n", (void *)place);
  return 0;
}
END
  turf=1 link_static pie where where.c
  run $RUNNER ./where >out.txt 2>/dev/null
  grep -qx '0 1 1' out.txt || fail "not frozen it says $(cat out.txt)"
  freeze where frozen --init boot -q
  : >places
  for _ in 1 2 3 4 5; do
    run $RUNNER ./frozen >out.txt 2>>places
    grep -qx '1 1 1' out.txt || fail "frozen it says $(cat out.txt)"
  done
  [ -n "$RUNNER" ] || [ "$(cat /proc/sys/kernel/randomize_va_space)" = 0 ] || [ "$(sort -u places | wc -l)" -gt 2 ] ||
    fail "it was not loaded at different addresses"
  no_new_complaints where frozen
  for tool in strip "objcopy --strip-debug"; do
    cp frozen changed
    run ${TRIPLE:+$TRIPLE-}$tool changed
    run $RUNNER ./changed >out.txt 2>/dev/null
    grep -qx '1 1 1' out.txt || fail "after $tool it says $(cat out.txt)"
  done
fi

# where its frozen state cannot be used, init is run if the program has what that takes; the features that
# the CPU must have are the last words of .note.urf
cat >again.c <<'END'
#include "common.h"
static int constructed;
static char *names[3];
__attribute__((constructor)) static void first(void)
{
  names[constructed++] = strdup("first");
}
__attribute__((constructor)) static void second(void)
{
  names[constructed++] = strdup("second");
}
int boot(void)
{
  names[2] = strdup("third");
  return constructed != 2;
}
int use(void)
{
  int n = urf_initialised();
  for (int i = 0; i < 1000; i++)
    names[i % 3] = realloc(names[i % 3], 1000 + (size_t)i * 10);
  printf("%d %s %s %s\n", constructed, names[0], names[1], names[2]);
  fprintf(stderr, "%d %d\n", urf_frozen(), n);
  return 0;
}
END
sed 's/if (!FROZEN)/if (!urf_initialised())/' "$TESTS/feature/static/common.h" >common.h
# no_cpu FROZEN OUT: a file that wants features which no CPU has
no_cpu() {
  cp "$1" "$2"
  readelf -SW "$2" | sed 's/^ *\[ *[0-9]*\]//' | awk '$1 == ".note.urf" { print $4, $5 }' >place
  read -r at size <place
  head -c 96 /dev/zero | tr '\000' '\377' | dd of="$2" bs=1 seek=$((0x$at + 0x$size - 96)) conv=notrunc status=none
}
for kind in $kinds; do
  turf=1 link_static $kind again again.c -I.
  freeze again frozen --init boot -q
  no_cpu frozen without
  status=0
  $RUNNER ./without >out.txt 2>said || status=$?
  grep -q 'features of the CPU' said || fail "$kind: status $status, $(cat said)"
  [ $status -eq 127 ] || fail "$kind: status $status"
  turf=1 link_static $kind again again.c -I. -Wl,-u,urf_fallback
  freeze again frozen --init boot -q
  no_cpu frozen without
  answers again again.txt 2>/dev/null
  for program in frozen without; do
    answers $program out.txt 2>$program.said
    same again.txt out.txt "$kind: $program answers otherwise"
  done
  [ "$(cat frozen.said without.said | tr '\n' ',')" = '1 1,0 1,' ] ||
    fail "$kind: $(cat frozen.said without.said)"
done

# a file that has lost its end
head -c $(($(stat -c %s frozen) / 2)) ./frozen >short
chmod +x short
status=0
$RUNNER ./short 2>said >out.txt || status=$?
[ $status -ne 0 ] || fail "a program that was cut off ran: $(cat out.txt)"

# the code that it costs; a program that has no malloc of libc's gets nothing in exchange
limit=6144
[ "$MACHINE" != s390x ] || limit=6656 # of six bytes most instructions with a constant or an address
cat >small.c <<'END'
#include <stdio.h>
int main(void)
{
  return printf("%d\n", 3) != 2;
}
END
code() {
  readelf -SW "$1" | sed 's/^ *\[ *[0-9]*\]//' | awk '$1 == ".text" { print $5 }'
}
for kind in $kinds; do
  turf='' link_static $kind plain small.c
  turf=1 link_static $kind program small.c
  run $RUNNER ./program
  added=$((0x$(code program) - 0x$(code plain)))
  echo "$kind: $added bytes of code are turf's"
  [ $added -le $limit ] || fail "$kind: turf adds $added bytes of code"
done
