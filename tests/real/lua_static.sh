#!/bin/sh
# not: mold static programs need urf.ld
# not: lld-riscv64 ld.lld 14 does not relax code, as which all of glibc is compiled there
# file: static program
# shellcheck disable=SC1091,SC2046,SC2086,SC2154
# timeout: 900
# Lua 5.4 from Debian's source package as a static program, position-independent and not.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
. "$here/static.inc"
has_static_host
real=$here/real
. "$real/real.inc"

source=$(debian_source lua5.4)/src
echo '#define DEB_HOST_MULTIARCH "none"' >"$WORK/lua5.4-deb-multiarch.h"
sources="$real/program.c $real/lua.c"
for file in "$source"/l*.c; do
  case ${file##*/} in lua.c | luac.c) ;; *) sources="$sources $file" ;; esac
done
flags="-I$source -I$WORK -DLUA_USE_POSIX -Wa,-I,$real -Dluai_makeseed(L)=0x5eed $real_flags"
run cc -O2 "$real/spawn.c" -o spawn
for file in plain program frozen; do
  printf '#!/bin/sh\nexec %s ./%s "$@"\n' "$RUNNER" $file >./run-$file
  chmod +x ./run-$file
done
# of a machine of 32 bits other words of its tables are half an address
policy_file=$real/lua.policy
[ $BITS = 64 ] || policy_file=$real/lua_$MACHINE.policy

# with the copy to huge pages, too, for its time
forms=$kinds
case $CC-$LD-$MACHINE in gcc-bfd-) forms=$(echo $kinds | sed 's/pie/& &,urf_copy/') ;; esac
for form in $forms; do
  kind=${form%,*} ask=
  [ $form = $kind ] || ask=-Wl,-u,${form#*,}
  turf='' link_static $kind plain "$sources" $flags -lm
  turf=1 link_static $kind program "$sources" $flags -lm -Wl,--defsym=__urf_heap_size=0x8000000 $ask
  policy="--policy $policy_file"
  [ $kind = pie ] || policy= # all addresses are the same
  freeze program frozen --init urf_init $policy -q
  run "$TURF" verify -q frozen
  for steps in a amafia; do
    run $RUNNER ./plain $steps >live
    run $RUNNER ./program $steps >said
    cmp live said || fail "Lua, $form: linked with urf.ld it answers otherwise"
    run $RUNNER ./frozen $steps >said
    cmp live said || fail "Lua, $form: frozen it answers otherwise"
  done
  run $RUNNER ./plain ama >live
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    run $RUNNER ./frozen ama >said
    cmp live said || fail "Lua, $form: frozen it answers otherwise"
  done
  run ./spawn 10 ./run-plain ./run-program ./run-frozen >times.txt
  set -- $(for file in plain program; do readelf -SW $file | sed 's/^ *\[ *[0-9]*\]//' |
    awk '$1 == ".text" { print $5 }'; done)
  echo "Lua: $form${RUNNER:+, run by an emulator, with $records records}: start to end without turf $(median 1 times.txt) ms, not frozen $(median 2 times.txt) ms," \
    "frozen $(median 3 times.txt) ms; turf adds $((0x$2 - 0x$1)) bytes of code"
done
