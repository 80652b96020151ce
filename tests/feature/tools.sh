#!/bin/sh
# The output is an ordinary ELF file: tools may change it and have nothing to say that they do not
# say of the input.
# machines: yes
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
tools=${TRIPLE:+$TRIPLE-}
need readelf=binutils "${tools}nm=binutils" "${tools}strip=binutils" "${tools}objcopy=binutils" eu-elflint=elfutils patchelf

build_driver
source=$TESTS/feature/link_now.c
build_plain a.so "$source" -- -g -O1
build_lib b.so "$source" -- -g -O1
run "$DRIVER" ./a.so >a.txt

# nothing of turf to be seen by a program that links with it
"${tools}nm" -D --defined-only a.so | awk '{ print $2, $3 }' | grep -v ' _\{0,2\}\(edata\|end\|bss_start\|init\|fini\)$' | sort >a.nm
"${tools}nm" -D --defined-only b.so | awk '{ print $2, $3 }' | grep -v ' _\{0,2\}\(edata\|end\|bss_start\|init\|fini\)$' | sort >b.nm
same a.nm b.nm "linked with turf it exports other symbols"
! "${tools}nm" -D b.so | grep -v ' urf_init$' | grep -i urf || fail "the input shows a symbol of turf"

freeze b.so c.so
same_names b.so c.so
no_new_complaints b.so c.so

# the same answers after what packagers do
works() {
  run "$DRIVER" -f "./$1" >out.txt 2>/dev/null
  same a.txt out.txt "after $2 it answers otherwise"
}
change() { # TOOL...
  cp c.so changed.so
  if can "$*" changed.so a.so; then works changed.so "$*"; fi
}
works c.so nothing
change ${tools}strip
change ${tools}strip --strip-unneeded
change ${tools}strip --strip-debug
change ${tools}objcopy --strip-debug
change ${tools}objcopy
change ${tools}objcopy --compress-debug-sections
change patchelf --set-rpath /x
change patchelf --set-rpath /a/rather/long/path/so/that/there/is/not/enough/room/for/it/where/the/old/one/was
change patchelf --set-soname libother.so
! command -v eu-strip >/dev/null || change eu-strip
! command -v llvm-strip >/dev/null || change llvm-strip
! command -v llvm-objcopy >/dev/null || change llvm-objcopy --strip-debug
cp c.so c.debug
cp c.so linked.so
if can "${tools}objcopy --only-keep-debug" c.debug a.so && can "${tools}strip" linked.so a.so; then
  run "${tools}objcopy" --add-gnu-debuglink=c.debug linked.so
  works linked.so "objcopy --add-gnu-debuglink"
fi

# the same bytes again, from another place to another name
mkdir elsewhere
cp b.so elsewhere/input.so
freeze elsewhere/input.so elsewhere/output.so
cmp c.so elsewhere/output.so || fail "two freezes of one library differ"
cp b.so stripped.so
if can "${tools}strip" stripped.so a.so; then
  freeze stripped.so c-stripped.so
  works c-stripped.so "strip before the freeze"
fi
