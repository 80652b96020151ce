#!/bin/sh
# not: mold the size of the heap cannot be set without urf.ld
# shellcheck disable=SC1091,SC2086
# timeout: 400
# only: glibc Debian's libsqlite3.a is built for glibc (__memcpy_chk, fcntl64)
# SQLite 3.40 from Debian's static archive, with 50,000 rows in memory.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

link_sqlite
prove "SQLite" "$real/sqlite.policy"
