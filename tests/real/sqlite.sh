#!/bin/sh
# shellcheck disable=SC1091,SC2086
# timeout: 400
# only: glibc Debian's libsqlite3.a is built for glibc (__memcpy_chk, fcntl64)
# SQLite 3.40 from Debian's static archive, with 50,000 rows in memory.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

archive=$($CC_CMD -print-file-name=libsqlite3.a)
[ -f "$archive" ] || skip "libsqlite3.a is missing (Debian package libsqlite3-dev)"

$CC_CMD -O2 -g -fPIC -fvisibility=hidden -c "$real/sqlite.c" -o "$WORK/sqlite.o"
# The archive's code is position-independent, but reaches its own exported data directly.
for kind in plain turf; do
  turf=
  [ $kind = plain ] || turf="-L$LIBDIR -T urf.ld"
  $CC_CMD $LD_FLAG -shared -o "$WORK/$kind.so" "$WORK/sqlite.o" "$archive" -lm \
    -Wl,--exclude-libs,libsqlite3.a $turf
done
prove "SQLite" "$real/sqlite.policy"
