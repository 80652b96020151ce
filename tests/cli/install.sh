#!/bin/sh
# make install puts a turf in place that finds its own files there, wherever that is.
# configs: gcc-bfd-glibc
# shellcheck disable=SC1091,SC2046,SC2086,SC2153
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need make

dest=$WORK/dest
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$TESTS/.." B="${LIBDIR%/lib}" DESTDIR="$dest" \
  PREFIX=/usr/x install || fail "make install"
(cd "$dest" && find . -type f | sort) >files
cat files
for file in bin/turf include/urf.h lib/liburf.a lib/liburf.so lib/liburf_shared.a lib/urf.ld lib/pkgconfig/urf.pc \
  lib/cmake/urf/urf-config.cmake lib/turf/host-x86_64-glibc lib/turf/host-x86_64-static; do
  grep -qxF "./usr/x/$file" files || fail "$file is not installed"
done
! grep -v '^\./usr/x/' files || fail "files outside of PREFIX"
for file in bin/turf lib/turf/host-x86_64-glibc lib/turf/host-x86_64-static; do
  [ -x "$dest/usr/x/$file" ] || fail "$file cannot be run"
done

# moved, and called through a link: nothing in it knows where it was put
mv "$dest/usr/x" moved
ln -s moved/bin/turf link
for turf in "$WORK/moved/bin/turf" ./link; do
  flags=$("$turf" flags)
  [ "$flags" = "-L$WORK/moved/lib -Wl,-T,$WORK/moved/lib/urf.ld" ] || fail "turf flags: $flags"
  flags_plain=$("$turf" flags --no-script)
  [ "$flags_plain" = "$WORK/moved/lib/urf_plain.o" ] || fail "turf flags --no-script: $flags_plain"
  [ -f "$flags_plain" ] || fail "$flags_plain is not installed"
  for dir in moved/lib/turf/*/; do
    [ -d "$dir" ] || continue
    machine=${dir%/} && machine=${machine##*/}
    flags_plain=$("$turf" flags --no-script "$machine")
    [ "$flags_plain" = "$WORK/${dir}urf_plain.o" ] || fail "turf flags --no-script $machine: $flags_plain"
    [ -f "$flags_plain" ] || fail "$flags_plain is not installed"
  done
done
for cc in gcc clang; do
  command -v $cc >/dev/null || continue
  run $cc -fPIC -shared -I"$TESTS/feature" -Imoved/include -D_GNU_SOURCE \
    "$TESTS/feature/link_now.c" -o $cc.so $flags
  run ./link freeze $cc.so -o $cc-frozen.so
  run ./link verify $cc-frozen.so
done

# flags are for a shell that splits words
mkdir "a b"
cp -r moved "a b/"
expect_refusal 3 "a b" "a b/moved/bin/turf" flags
