#!/bin/sh
# not: mold the size of the heap cannot be set without urf.ld
# shellcheck disable=SC1091,SC2086,SC2154
# timeout: 900
# configs: gcc-bfd-glibc gcc-lld-glibc gcc-lld-musl
# more: gcc-bfd-musl
# GLib 2.74 from Debian's static archives, which are built for glibc, and for musl from its source packages.  What it keeps by address is refused:
# hash tables, machine code of regular expressions, a main context's descriptor, tree nodes in recycled
# memory; without, or filled again by a hook, it is right.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

compile_pcre2() {
  CC=$CC_CMD CFLAGS='-g -O2 -fPIC' "$1/configure" --disable-shared --enable-jit && make -j2 libpcre2-8.la
}

# compile_glib SOURCE: what the rest of GLib needs is looked for, but of no use here
compile_glib() {
  mkdir pc
  for it in libffi zlib; do
    printf 'Name: %s\nDescription: none\nVersion: 9\n' $it >pc/$it.pc || return
  done
  printf 'Name: pcre2\nDescription: its build\nVersion: 10.42\nCflags: -I%s/src\nLibs: -L%s/.libs -lpcre2-8\n' \
    "$pcre2" "$pcre2" >pc/libpcre2-8.pc
  CC="$CC_CMD $kernel" CFLAGS='-g -O2' PKG_CONFIG_LIBDIR=$PWD/pc meson setup . "$1" -Ddefault_library=static \
    -Dlibmount=disabled -Dselinux=disabled -Dxattr=false -Dtests=false -Dnls=disabled --wrap-mode=nofallback &&
    ninja glib/libglib-2.0.a
}

policy_file=$real/glib.policy
case $LIBC in
glibc)
  need pkg-config
  pkg-config --exists glib-2.0 || skip "glib-2.0.pc is missing (Debian package libglib2.0-dev)"
  for it in glib-2.0=libglib2.0-dev pcre2-8=libpcre2-dev; do
    archive=$($CC_CMD -print-file-name=lib${it%=*}.a)
    [ -f "$archive" ] || skip "lib${it%=*}.a is missing (Debian package ${it#*=})"
    archives="${archives:-} $archive"
  done
  include=$(pkg-config --cflags glib-2.0)
  ;;
musl)
  need meson ninja=ninja-build pkg-config
  source=$(debian_source pcre2)
  made "$source" .libs/libpcre2-8.a compile_pcre2
  pcre2=$made
  source=$(debian_source glib2.0)
  made "$source" glib/libglib-2.0.a compile_glib
  archives="$made/glib/libglib-2.0.a $pcre2/.libs/libpcre2-8.a"
  include="-I$source -I$source/glib -I$made/glib -I$made" policy_file=$real/glib_musl.policy
  ;;
esac

# build NAME FLAG...: NAME.so, and without turf NAME-plain.so
build() {
  name=$1
  shift
  $CC_CMD -O2 -g -fPIC $WARN -fvisibility=hidden -I"$TESTS/../loader" \
    $include "$@" -c "$real/glib.c" -o $name.o
  link_lib '' $name-plain.so $name.o $archives -- -Wl,--exclude-libs,ALL,--eh-frame-hdr -lm
  link_lib "-L$LIBDIR -T urf.ld" $name.so $name.o $archives -- -Wl,--exclude-libs,ALL,--eh-frame-hdr -lm
}

# Memory of slices is used again, and not cleared: what is left of a pointer stands next to small fields
# of a tree's nodes.  malloc clears it while init runs.
freeze_with="--env G_SLICE=always-malloc"
policy="--policy $policy_file"

# refused TEXT NAME FLAG...: what the library has besides cannot be frozen
refused() {
  text=$1
  shift
  build "$@"
  [ "$TURF" = none ] ||
    expect_refusal 1 "$text" "$TURF" freeze $1.so -o "$OUT" $policy $freeze_with
}
refused "leads to another place in the library" bare
[ "$TURF" = none ] || grep -q '^memory allocated by g_realloc' stderr || fail "it is not the table"
refused "free_blocks (8 bytes in .bss): points to memory that somebody else allocated" \
  jit -DREHASH -DJIT
refused "now: fd 3 anon_inode:[eventfd]" context -DREHASH -DCONTEXT

build turf -DREHASH
mv turf-plain.so plain.so
if [ "$TURF" != none ]; then
  grep -E '^data:|^heap:g_rec_mutex' "$policy_file" >data
  { cat data && echo 'heap:slab_allocator_alloc_chunk#* keep as in glib.policy'; } >slices
  expect_refusal 1 "is an address in the library in one run, and something else in another" \
    "$TURF" freeze turf.so -o "$OUT" --policy slices
fi
prove "GLib" "$policy_file"
[ "$TURF" != none ] || exit 0

# The whole of it, as it comes, at the preferred base: everything keyed by addresses is right there.
# Where the base is taken, init runs.
base=0x123400000000
flag=$BASE_FLAG$base
link_lib "-L$LIBDIR -T urf.ld" fixed.so bare.o $archives -- -Wl,--exclude-libs,ALL,--eh-frame-hdr -lm $flag
freeze fixed.so fixed-frozen.so --fixed --policy data
take $base
run ./real ./bare-plain.so iamafia >live
# loads PRELOADED COUNT: each of ten answers as the live library; COUNT of the addresses is the base
loads() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    LD_PRELOAD=$1 run ./real -t ./fixed-frozen.so amafia >answers 2>>"where$2"
    same live answers "--fixed: it answers otherwise"
  done
  [ "$(grep -c " at $base\$" "where$2")" -eq $2 ] || fail "--fixed: $(cat "where$2")"
}
loads '' 10
loads ./taken.so 0
ten times-fixed ./fixed-frozen.so a
echo "GLib: --fixed: load $(median 2 times-fixed) ms, first answers $(median 6 times-fixed) ms"
