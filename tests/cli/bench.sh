#!/bin/sh
# make bench: each of its quick lines is a number, whatever that is on this machine; and what does not hold
# the words that it should is not measured.
# timeout: 300
# configs: gcc-bfd-glibc
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need jq /usr/bin/python3=python3 gnuplot=gnuplot-nox readelf=binutils
bench() { OUT=$WORK/bench CC=$CC_CMD "$TESTS/../bench/bench.py" --quick "$@"; }

bench --list >listed
run bench --json --record . >out.json
jq -r '.rows[].series' out.json | uniq >measured
same listed measured "other lines than those that are listed"
jq -r '.rows[] | select([.ratio, .a, .b] | all(type == "number" and . > 0) | not)
  | "\(.series) \(.what): \(.ratio) \(.note)"' out.json >bad
[ ! -s bad ] || { cat bad && fail "these are no numbers"; }
[ "$(jq '[.rows[] | select(.pairs > 0)] | length' out.json)" -gt 20 ] || fail "too few ratios"
jq -e '.machine | .commit and .CPU and .kernel and .libc and .compiler' out.json >machine ||
  fail "it does not say what it was measured on"
[ "$(grep -c '^| load/dense/1M | turf / glibc RELR |' RESULTS.md)" -eq 1 ] ||
  fail "RESULTS.md lacks a line"
grep -q '</svg>' load.svg || fail "no plot"

# a word that is not what it should be
printf 'otherwise' | dd of="$WORK/bench/relr-64K-1.so" bs=1 seek=$((40 * 1024)) conv=notrunc status=none
status=0
bench load/dense/64K >out 2>err || status=$?
[ $status -eq 1 ] || fail "status $status with a wrong library: $(cat err)"
grep -q 'relr-64K-1.so' err || fail "it does not say which library is wrong: $(cat err)"
