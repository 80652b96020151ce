#!/bin/sh
# pkg-config knows the flags, in the build directory and where turf is installed.
# configs: gcc-bfd-glibc
# shellcheck disable=SC1091,SC2046,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need pkg-config make

env -u MAKEFLAGS -u MAKELEVEL make -s -C "$TESTS/.." B="${LIBDIR%/lib}" DESTDIR="$WORK/dest" \
  PREFIX=/usr/x install || fail "make install"
for lib in "$LIBDIR" "$WORK/dest/usr/x/lib"; do
  export PKG_CONFIG_PATH="$lib/pkgconfig"
  [ "$(pkg-config --modversion urf)" = "$("$TURF" --version | sed 's/turf //')" ] || fail version
  pkg-config --cflags --libs urf
  rm -f b.so c.so
  run $CC_CMD -fPIC -shared -I"$TESTS/feature" -D_GNU_SOURCE "$TESTS/feature/link_now.c" -o b.so \
    $(pkg-config --cflags --libs urf)
  freeze b.so c.so
done
