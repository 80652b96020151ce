#!/bin/sh
# not: mold the size of the heap cannot be set without urf.ld
# shellcheck disable=SC1091,SC2086
# timeout: 900
# configs: gcc-bfd-glibc gcc-lld-glibc
# CPython 3.11 from Debian's static archive, which is built for glibc and by gcc; python.c is all that
# is compiled here, so that another compiler would show nothing.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

[ -f /usr/lib/python3.11/test/test_json/__init__.py ] ||
  skip "CPython's own tests are missing (Debian package libpython3.11-testsuite)"
link_python
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
[ "$run" -gt 3000 ] || fail "CPython: only $run of its own tests were run"
