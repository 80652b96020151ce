#!/bin/sh
# not: mold the size of the heap cannot be set without urf.ld
# shellcheck disable=SC1091,SC2086,SC2034
# timeout: 900
# SQLite 3.40 from Debian's static archive, or its source package where there is none, with 50,000 rows in
# memory (run by an emulator, 4,000).
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
records=4000
. "$real/real.inc"

link_sqlite
policy=sqlite.policy
[ "$LIBC" != musl ] || policy=sqlite_musl.policy
[ $BITS = 64 ] || policy=sqlite_32.policy
prove "SQLite" "$real/$policy"
