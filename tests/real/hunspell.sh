#!/bin/sh
# not: mold the size of the heap cannot be set without urf.ld
# not: musl w_char.hxx:41: fatal error: string: No such file or directory (Debian has no C++ library for musl, and glibc's wants __GLIBC_PREREQ)
# shellcheck disable=SC1091,SC2086
# configs: gcc-bfd-glibc gcc-lld-glibc gcc-bfd-musl gcc-lld-musl
# timeout: 900
# hunspell 1.7 in C++ from Debian's source package, with the dictionary of American English.  The policy names a
# place among the thread-local variables, which clang puts in another order.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

need "$CXX_CMD"
[ -f /usr/share/hunspell/en_US.dic ] || skip "en_US.dic is missing (Debian package hunspell-en-us)"
source=$(debian_source hunspell)/src/hunspell

# the library's own names stay its own, and so do those of the templates that others have, too
for file in "$source"/*.cxx "$real/hunspell.cc"; do
  set -- "$@" "$WORK/${file##*/}.o"
  printf '%s\n%s\n' "$file" "$WORK/${file##*/}.o"
done >"$WORK/files"
# shellcheck disable=SC2016
xargs -P 2 -n 2 sh -c '"$0" -O2 -g -fPIC -w -I"$1" -c "$2" -o "$3"' "$CXX_CMD" "$source" <"$WORK/files"
echo '{ global: urf_init; answer; mutate; finish; local: *; };' >"$WORK/names"
for kind in plain turf; do
  script=
  [ $kind = plain ] || script="-L$LIBDIR -T urf.ld"
  $CXX_CMD $LD_FLAG -shared -o "$WORK/$kind.so" "$@" -static-libstdc++ -static-libgcc \
    -Wl,--version-script="$WORK/names" $script
done
prove "hunspell" "$real/hunspell.policy"
