#!/bin/sh
# feature.sh SOURCE - one library in three forms has to give the same answers:
#   a   linked without turf      b   linked with it      c   b, frozen
#   d   c where it finds that it cannot be used frozen: it runs init itself
# Lines in the source's leading comment:
#   // cflags: FLAG...           // ldflags: FLAG...     also cflags-MACHINE:, ldflags-bfd: and ldflags-lld:
#   // dep: NAME                 link with libNAME.so, built from feature/dep/NAME.c
#   // freeze: ARGUMENT...       of turf freeze
#   // base: ADDRESS             where every load of c has to be
# shellcheck disable=SC1091,SC2046,SC2119,SC2086,SC2154,SC2254
here=$(dirname "$0")
. "$here/lib.sh"
source=$1

header() {
  sed -n '/^\/\//!q; s/^\/\/ '"$1"': *//p' "$source" | tr '\n' ' '
}

cc=$(compiler "$source")
build_driver
set -f
ldflags="$(header ldflags) $(header "ldflags-$LD")"
for dep in $(header dep); do
  build_plain "lib$dep.so" "$here/feature/dep/$dep.c" -- -Wl,-soname,lib$dep.so
  ldflags="$ldflags -L$WORK -l$dep -Wl,-rpath,\$ORIGIN"
done
object=library.o
case $source in *.cc) object=library.cc.o ;; esac
$cc $WARN -O2 -fPIC -D_GNU_SOURCE -I"$here/feature" $(header cflags) $(header "cflags-${MACHINE:-x86_64}") -c "$source" -o $object
build_plain a.so $object -- $ldflags
build_lib b.so $object -- $ldflags
set +f

# compare RESULT WHAT: with what the plain library says to the same options
compare() {
  same "a$options.txt" "$1" "$2"
}

modes='-n -l -t -F'
for options in $modes; do
  run "$DRIVER" $options ./a.so >"a$options.txt"
  ! grep '^wrong' "a$options.txt" || fail "without turf (driver $options)"
  run "$DRIVER" $options ./b.so >out.txt
  compare out.txt "linked with turf it answers otherwise (driver $options)"
done

# the same on the in-image heap
run "$DRIVER" -c ./a.so >a-c.txt
run env LD_PRELOAD="$HOST" "$DRIVER" -c ./b.so >out.txt
options=-c
compare out.txt "with an allocator in the image it answers otherwise"

set -f
freeze b.so c.so $(header freeze)
set +f
fixed_elsewhere c.so d.so
case $(header base)$(header freeze) in
'')
  for options in -n -t -F; do
    run "$DRIVER" $options -f ./d.so >out.txt 2>/dev/null
    compare out.txt "where it falls back on its init it answers otherwise"
  done
  run env URF_DEBUG=1 "$DRIVER" -f ./d.so >out.txt 2>said
  grep -q 'so init is run' said || fail "it did not fall back on its init"
  ;;
esac

base=$(header base)
: >bases
for options in $modes $modes -n; do
  run "$DRIVER" $options -f ./c.so >out.txt 2>>bases
  compare out.txt "frozen it answers otherwise (driver $options)"
done
if [ -n "$base" ]; then
  [ "$(sort -u bases)" = "base ${base% }" ] || fail "loaded at $(sort -u bases), not at $base"
elif [ "$(cat /proc/sys/kernel/randomize_va_space)" != 0 ]; then
  [ "$(sort -u bases | wc -l)" -gt 2 ] || fail "the loads were not at different addresses"
fi
