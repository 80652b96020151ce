#!/bin/sh
# not: mold the size of the heap cannot be set without urf.ld
# shellcheck disable=SC1091,SC2034,SC2086,SC2154
# configs: gcc-bfd-glibc gcc-lld-glibc clang-bfd-glibc gcc-bfd-musl
# more: gcc-lld-musl
# timeout: 900
# mruby 3.1 from Debian's static archive, which is built for glibc, and for musl from its source package, with
# 20,000 records.  Their hash is their address: the larger a table keyed by them, the more of an address it
# depends on.  musl heeds no alignment, so there it is right at the preferred base only.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

# compile_mruby SOURCE: with the gems that Debian's has
compile_mruby() {
  echo "MRuby::Build.new { |conf| conf.toolchain; conf.gembox 'default' }" >config.rb
  (
    export CC="$CC_CMD" LD="$CC_CMD" CFLAGS='-g -O2 -fPIC' MRUBY_CONFIG="$PWD/config.rb" MRUBY_BUILD_DIR="$PWD"
    cd "$1" && rake -j2 gensym && rake -j2 "$MRUBY_BUILD_DIR/host/lib/libmruby.a"
  )
}

case $LIBC in
glibc)
  archive=$($CC_CMD -print-file-name=libmruby.a) include=
  [ -f "$archive" ] || skip "libmruby.a is missing (Debian package libmruby-dev)"
  ;;
musl)
  need rake bison
  source=$(debian_source mruby)
  made "$source" host/lib/libmruby.a compile_mruby
  archive=$made/host/lib/libmruby.a include="-I$source/include -I$made/host/include"
  ;;
esac

# build DIRECTORY SCRIPTS: with the mruby.rb in SCRIPTS
build() {
  $CC_CMD -O2 -g -fPIC -fvisibility=hidden $include -Wa,-I,"$2" -c "$real/mruby.c" -o "$1/mruby.o"
  for kind in plain turf; do
    script=
    [ $kind = plain ] || script="-L$LIBDIR -T urf.ld ${flag:-}"
    $CC_CMD $LD_FLAG -shared -o "$1/$kind.so" "$1/mruby.o" "$archive" -lm \
      -Wl,--exclude-libs,libmruby.a $script
  done
}

# wants RECORDS ALIGN: so many records need that alignment of the library, get it, and are found
wants() {
  dir=$WORK/$1
  mkdir "$dir"
  sed "s/1\.upto(20_000)/1.upto($1)/" "$real/mruby.rb" >"$dir/mruby.rb"
  build "$dir" "$dir"
  freeze "$dir/turf.so" "$dir/frozen.so" 2>"$dir/said"
  run "$TURF" info "$dir/frozen.so" >"$dir/info"
  grep -q "^alignment  *$2," "$dir/info" || fail "$1 records: $(grep ^alignment "$dir/info"), not $2"
  "$WORK/real" "$dir/plain.so" iamafia >"$dir/live"
  for _ in 1 2 3 4 5 6 7 8; do
    "$WORK/real" "$dir/frozen.so" amafia >"$dir/frozen"
    same "$dir/live" "$dir/frozen" "$1 records: frozen they are not found"
  done
}

if [ "$LIBC" = musl ]; then
  base=0x123400000000
  flag=$BASE_FLAG$base
  freeze_with=--fixed
fi
build "$WORK" "$real"
prove "mruby"
[ "$TURF" != none ] || exit 0
if [ "$LIBC" = musl ]; then
  expect_refusal 1 "varies with addresses" "$TURF" freeze turf.so -o "$OUT"
  grep -q "use --fixed" stderr || fail "the refusal does not name --fixed"
  exit 0
fi
"$TURF" info "$WORK/frozen.so" | grep -q "^alignment  *0x200000," ||
  fail "20,000 records want the library at a multiple of 2 MiB"
wants 3000 0x10000
wants 300 0x1000
