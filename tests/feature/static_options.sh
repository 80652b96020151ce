#!/bin/sh
# How static programs are compiled and linked: the same answers without turf, with it, and frozen.
# timeout: 1200
# not: lld-riscv64 ld.lld 14 does not relax code, as which all of glibc is compiled there
# not: mold static programs need urf.ld
# file: static program
# shellcheck disable=SC1091,SC2046,SC2086,SC2154
. "$(dirname "$0")/../lib.sh"
. "$TESTS/static.inc"
has_static_host

# nothing else asks for init by its name, so it would be no function of its own any more
lto=-flto
[ "$CC-$LD" != gcc-lld ] || lto= # which does not know gcc's form
[ "$CC-$LD" != clang-lld ] || lto='-flto -flto=thin'
case ${MACHINE:-x86_64} in
aarch64) marks=-mbranch-protection=standard ;;
x86_64 | i386) marks=-fcf-protection=full ;;
*) marks= ;;
esac

# try KIND SOURCE FLAG...
try() {
  kind=$1 source=$TESTS/feature/static/$2
  shift 2
  turf='' link_static $kind plain "$source" "$@"
  turf=1 link_static $kind program "$source" "$@"
  three_forms "$* $kind"
}
for kind in $kinds; do
  # musl's static PIEs are linked by ld itself in static.inc, which compiles without these flags
  if [ "$kind-$LIBC" != pie-musl ]; then
    for flag in $lto; do try $kind heap.c $flag -Wl,-u,boot; done
    [ $LIBC = musl ] || for flag in $lto; do try $kind cxx.cc $flag -Wl,-u,boot; done
    try $kind heap.c -O0
    try $kind exits.c -Os -ffunction-sections -fdata-sections -Wl,--gc-sections
    try $kind functions.c -O3 $marks -fno-plt
  fi
  try $kind functions.c -Wl,--gc-sections,--build-id=none
  try $kind heap.c -Wl,-z,separate-code,-z,relro,-z,now,--hash-style=gnu
  try $kind maps.c -Wl,-z,noseparate-code,-z,norelro,--build-id=sha1
  try $kind exits.c -Wl,--emit-relocs
done
case $LD in lld) try fixed functions.c -Wl,--icf=all ;; esac
case $LD-$LIBC-$kinds in
bfd-glibc-*pie*) try pie functions.c -Wl,-z,pack-relative-relocs ;;
lld-glibc-*pie*) try pie functions.c -Wl,--pack-dyn-relocs=relr ;;
esac
