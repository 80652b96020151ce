#!/bin/sh
# find_package(urf) gives CMake a target that makes a library a turf library.
# configs: gcc-bfd-glibc
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need cmake make

env -u MAKEFLAGS -u MAKELEVEL make -s -C "$TESTS/.." B="${LIBDIR%/lib}" DESTDIR="$WORK/dest" \
  PREFIX=/usr/x install || fail "make install"
cat >library.c <<'END_C'
#include <stdlib.h>
#include <urf.h>
int *block;
int urf_init(void) { block = malloc(sizeof *block); return !block || urf_frozen(); }
END_C
cat >CMakeLists.txt <<'END_CMAKE'
cmake_minimum_required(VERSION 3.13)
project(library C)
find_package(urf REQUIRED)
find_package(urf REQUIRED)
add_library(library SHARED library.c)
target_link_libraries(library PRIVATE urf::urf)
END_CMAKE
for lib in "$LIBDIR" "$WORK/dest/usr/x/lib"; do
  rm -rf out
  run env -u MAKEFLAGS -u MAKELEVEL cmake -S . -B out -DCMAKE_C_COMPILER="$CC_CMD" \
    -Durf_DIR="$lib/cmake/urf"
  run env -u MAKEFLAGS -u MAKELEVEL cmake --build out
  freeze out/liblibrary.so frozen.so
done
