#!/bin/sh
# not: mold the size of the heap cannot be set without urf.ld
# shellcheck disable=SC1091,SC2034,SC2086
# timeout: 1800
# configs: gcc-bfd-glibc gcc-lld-glibc
# more: gcc-bfd-musl gcc-lld-musl
# CPython 3.11 from Debian's static archive, which is built for glibc and by gcc; python.c is all that
# is compiled here, so that another compiler would show nothing.  For musl from its source package, with
# Debian's standard library.  Its cache of methods is indexed by addresses, and musl heeds no alignment, so
# there it is right at the preferred base only.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

[ -f /usr/lib/python3.11/test/test_json/__init__.py ] ||
  skip "CPython's own tests are missing (Debian package libpython3.11-testsuite)"
link_python
if [ "$LIBC" = musl ]; then
  # all that is keyed by addresses is emptied, but for that
  if [ "$TURF" != none ]; then
    expect_refusal 1 "type_cache.hashtable" "$TURF" freeze turf.so -o "$OUT"
    grep -q "use --fixed" stderr || fail "the refusal does not name --fixed"
  fi
  base=0x123400000000
  python_with=-DFIXED=1 link_with=$BASE_FLAG$base freeze_with=--fixed
  link_python
fi
prove "CPython"

# standard output is a pipe here, which it is not while turf has init run
"$WORK/real" "$WORK/plain.so" im | cat >live
"$WORK/real" "$WORK/frozen.so" m | cat >frozen
same live frozen "CPython: with its output in a pipe it answers otherwise"

# CPython's own tests, in one process with the live library, and in one with the frozen one.  (Not as
# jobs of the shell, which has these ignore SIGINT.)
export URF_TESTS="test_json test_dict test_re test_gc test_dataclasses test_list test_set test_descr
  test_abc test_typing test_enum test_collections test_functools test_exceptions test_generators
  test_class test_copy test_random test_subclassinit test_contextlib test_isinstance test_super
  test_weakset test_struct test_types test_context"
# shellcheck disable=SC2016
printf 'plain is\nfrozen s\n' | xargs -P 2 -n 2 sh -c '
  mkdir "tests-$1" && cd "tests-$1" &&
    exec "$0/real" "$0/$1.so" "$2" >results 2>stderr' "$WORK" ||
  fail "CPython: its own tests did not end: $(tail -n 5 tests-*/stderr)"
cat tests-plain/results
same tests-plain/results tests-frozen/results "CPython: its own tests end otherwise when it is frozen"
run=$(awk '/ run,/ { n += $2 } END { print n + 0 }' tests-frozen/results)
echo "CPython: $run of its own tests end the same frozen and live"
[ "$run" -gt 3700 ] || fail "CPython: only $run of its own tests were run"
