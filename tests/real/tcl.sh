#!/bin/sh
# not: mold the size of the heap cannot be set without urf.ld
# shellcheck disable=SC1091,SC2034,SC2086,SC2154
# configs: gcc-bfd-glibc gcc-lld-glibc gcc-bfd-musl
# more: gcc-lld-musl
# timeout: 900
# Tcl 8.6 from Debian's static archive, which is built for glibc and by gcc, and for musl from its source package,
# with 10,000 records.  Its hash tables keep the lower halves of addresses, so that it is refused as it comes, and
# right at the preferred base.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

# compile_tcl SOURCE: with zlib's parts that come with it.  Without threads, Tcl leaves allocation to malloc.  Its
# own allocator hands out what earlier blocks have left, of which parts reach the image: halves of addresses in
# libc, which has no build-id in musl by which it could be told again.
compile_tcl() {
  CC=$CC_CMD CFLAGS=-g "$1/unix/configure" --disable-shared --disable-threads &&
    make -j2 TCL_LIBRARY="$1/library" libtcl8.6.a
}

case $LIBC in
glibc)
  archive=$($CC_CMD -print-file-name=libtcl8.6.a) include=/usr/include/tcl8.6 zlib=-lz
  [ -f "$archive" ] || skip "libtcl8.6.a is missing (Debian package tcl8.6-dev)"
  [ -f /usr/share/tcltk/tcl8.6/init.tcl ] || skip "init.tcl is missing (Debian package libtcl8.6)"
  ;;
musl)
  source=$(debian_source tcl8.6) include=$source/generic zlib=
  made "$source" libtcl8.6.a compile_tcl
  archive=$made/libtcl8.6.a
  ;;
esac

base=0x123400000000
flag=$BASE_FLAG$base
$CC_CMD -O2 -g -fPIC $WARN -fvisibility=hidden -I"$include" -I"$LIBDIR/../include" -Wa,-I,"$real" \
  -c "$real/tcl.c" -o "$WORK/tcl.o"
for kind in plain turf; do
  script=
  [ $kind = plain ] || script="-L$LIBDIR -T urf.ld $flag"
  $CC_CMD $LD_FLAG -shared -o "$WORK/$kind.so" "$WORK/tcl.o" "$archive" $zlib -ldl -lm -pthread \
    -Wl,--exclude-libs,libtcl8.6.a $script
done

# what init finds there would be in the image, and in the answers of the live library
unset LANG LC_ALL LC_CTYPE TZ
freeze_with=--fixed
policy=
[ "$LIBC" != musl ] || policy=$real/tcl_musl.policy
prove "Tcl" $policy
[ "$TURF" != none ] || exit 0

# a hash that is kept is the lower half of an address; no alignment makes it right
case $CONFIG in
gcc-bfd-glibc)
  expect_refusal 1 "memory allocated by GetBlocks" "$TURF" freeze turf.so -o "$OUT" >said
  echo "Tcl: without --fixed $(grep -o '[0-9]* words cannot be frozen' said)"
  ;;
esac

# Tcl's own tests, with the live library and with the frozen one: files that do not wait for anything,
# as what comes of that is another on a busy machine
TCL_TESTS=$(debian_source tcl8.6)/tests
TCL_TEST_FILES="apply binary coroutine dict error expr for foreach format if incr info join lindex
  linsert list lmap lrange lrepeat lreplace lsearch lset namespace oo ooNext2 parse proc regexp rename scan
  set split string subst switch tailcall trace uplevel upvar utf util var while"
export TCL_TESTS TCL_TEST_FILES
for kind in plain:is frozen:s; do
  mkdir "suite-${kind%:*}"
  (cd "suite-${kind%:*}" && "$WORK/real" "$WORK/${kind%:*}.so" ${kind#*:} >results 2>&1) ||
    fail "Tcl: its own tests end with $?: $(tail -n 5 "suite-${kind%:*}/results")"
done
same suite-plain/results suite-frozen/results "Tcl: its own tests end otherwise when it is frozen"
awk '{ for (i = 1; i < NF; i++) n[$i] += $(i + 1) }
  END { printf "Tcl: %d of its own tests pass, frozen and live, %d are skipped, %d fail\n", n["Passed"], n["Skipped"], n["Failed"]
        exit n["Passed"] < 5000 }' suite-frozen/results || fail "Tcl: too few of its own tests pass"
