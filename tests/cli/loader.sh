#!/bin/sh
# What the loader reads before it has relocated the library must not be relocated itself: neither compiler nor
# linker may have made variables of its constants, with addresses in them.
# configs: gcc-bfd-glibc
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
need readelf=binutils

# in FILE...: the writable sections that have addresses in them, but for the lists that the dynamic linker follows;
# what the linker makes of a thread-local variable is none
relocated() {
  readelf -rW "$@" >relocations || fail "readelf: $*"
  awk -F "'" '/^Relocation section/ { section = $2; sub(/^\.rela*/, "", section) }
    /^[0-9a-f]+ / && !/R_[A-Z0-9]*_TLS_LE/ { print section }' relocations |
    grep -vE '^\.(text|rodata|eh_frame|debug_|ARM\.exidx|(urf\.)?init_array)' | sort -u
}

files=$(find "$LIBDIR" -name 'liburf*.a' -o -name urf_plain.o)
[ -n "$files" ] || fail "nothing in $LIBDIR"
for file in $files; do
  found=$(relocated "$file")
  [ -z "$found" ] || fail "$file has addresses in $found"
  grep -q 'init_array' relocations || fail "$file: no relocations read"
done

# and it is found
echo 'struct why { const char *what, *which; } why = {"one", "other"};' >bad.c
run "$CC_CMD" -fPIC -c bad.c
[ "$(relocated bad.o)" != "" ] || fail "a variable with addresses goes unseen"
