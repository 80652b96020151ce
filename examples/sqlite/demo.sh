#!/bin/sh
# Freezes a SQLite database of 50,000 rows (tests/real/sqlite.c) and holds it against the live one.
# TURF, CC and OUT (a directory) may be given in the environment.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
real=$top/tests/real
turf=${TURF:-$top/build/bin/turf}
cc=${CC:-cc}
out=${OUT:-$top/build/demo}
mkdir -p "$out"

archive=$($cc -print-file-name=libsqlite3.a)
[ -f "$archive" ] || { echo "demo: libsqlite3.a is missing: apt-get install libsqlite3-dev" >&2; exit 1; }

# An ordinary library, linked with turf's script; then the same, already initialised.
$cc -O2 "$real/real.c" -o "$out/real" -ldl
$cc -O2 -g -fPIC -fvisibility=hidden -c "$real/sqlite.c" -o "$out/sqlite.o"
# shellcheck disable=SC2046
$cc -shared -o "$out/libturf_items.so" "$out/sqlite.o" "$archive" -lm \
  -Wl,--exclude-libs,libsqlite3.a $("$turf" flags)
"$turf" freeze -q "$out/libturf_items.so" --policy "$real/sqlite.policy" -o "$out/liburf_items.so"

# Medians of ten processes each, in milliseconds: load, init, first answers.
measure() {
  : >"$out/times"
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    "$out/real" -t "$1" "$2" 2>>"$out/times" >"$3"
  done
  for column in 2 4 6; do
    awk -v c=$column '{ print $c / 1e6 }' "$out/times" | sort -n | awk '{ t[NR] = $1 }
      END { print (t[int((NR + 1) / 2)] + t[int(NR / 2) + 1]) / 2 }'
  done | tr '\n' ' '
}
live=$(measure "$out/libturf_items.so" ia "$out/live")
frozen=$(measure "$out/liburf_items.so" a "$out/frozen")

# A number that `turf info` knows about the frozen library.
fact() { "$turf" info --json "$out/liburf_items.so" | sed -n "s/.*\"$1\": *\([0-9][0-9]*\).*/\1/p" | head -n 1; }
kib() { echo $(($(wc -c <"$1") / 1024)); }

echo "SQLite, 50,000 rows in memory, with an index, JSON and full-text search"
echo
echo "$live $frozen" | awk '{
  printf "%-28s%12s%14s\n", "", "live", "frozen"
  printf "%-28s%9.2f ms%11.2f ms\n", "load (dlopen)", $1, $4
  printf "%-28s%9.2f ms%14s\n", "init (urf_init)", $2, "none"
  printf "%-28s%9.2f ms%11.2f ms   %.0f times as fast\n", "ready after", $1 + $2, $4, ($1 + $2) / $4
  printf "%-28s%9.2f ms%11.2f ms\n", "first queries", $3, $6
}'
printf '%-28s%8s KiB%10s KiB\n' file "$(kib "$out/libturf_items.so")" "$(kib "$out/liburf_items.so")"
printf '%-28s%12s%14s relocated at load\n' pointers "" "$(fact pointers)"
echo
query='SELECT count(*), sum(price)'
grep -F "$query" "$out/live"
for kind in live frozen; do
  printf '%8s:%s\n' $kind "$(grep -F -A 1 "$query" "$out/$kind" | tail -n 1)"
done
cmp "$out/live" "$out/frozen"
echo "all $(wc -l <"$out/live") lines of answers are the same"
