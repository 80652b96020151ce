#!/bin/sh
# The library that was frozen comes back byte by byte, however its tables of relocations were made and
# whatever init has done to its data: init itself makes a copy of the file that it is run from.
# configs: gcc-bfd-glibc gcc-lld-glibc clang-lld-glibc gcc-bfd-musl gcc-lld-musl
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need python3
build_driver

cat >copy.h <<'END'
#include <dlfcn.h>
#include <stdio.h>
static int copy_library(void)
{
  char buffer[4096];
  size_t n;
  Dl_info info;
  if (!dladdr((void *)copy_library, &info))
    return 1;
  FILE *from = fopen(info.dli_fname, "r"), *to = fopen(COPY, "w");
  while (from && to && (n = fread(buffer, 1, sizeof buffer, from)))
    fwrite(buffer, 1, n, to);
  return !from || !to || fclose(from) || fclose(to);
}
END

# plain.py FILE: what comes back, which is all but section headers and what no segment holds
cat >plain.py <<'END'
import struct, sys
f = bytearray(open(sys.argv[1], "rb").read())
phoff, = struct.unpack_from("<Q", f, 32)
size, n = struct.unpack_from("<HH", f, 54)
loads = [struct.unpack_from("<IIQQQQ", f, phoff + i * size) for i in range(n)]
f[40:48] = bytes(8)
f[58:64] = bytes(6)
sys.stdout.buffer.write(f[:max(p[2] + p[5] for p in loads if p[0] == 1)])
END

# change.py FILE HOW: relocations in another order, and words that are relocated having contents
cat >change.py <<'END'
import random, struct, sys
name, how = sys.argv[1:]
f = bytearray(open(name, "rb").read())
phoff, = struct.unpack_from("<Q", f, 32)
size, n = struct.unpack_from("<HH", f, 54)
segments = [struct.unpack_from("<IIQQQQ", f, phoff + i * size) for i in range(n)]
def offset(address):
    return next(p[2] + address - p[3] for p in segments if p[0] == 1 and p[3] <= address < p[3] + p[5])
dynamic = next(p for p in segments if p[0] == 2)
places = {}
for at in range(dynamic[2], dynamic[2] + dynamic[5], 16):
    tag, value = struct.unpack_from("<QQ", f, at)
    places.setdefault(tag, (at + 8, value))
RELA, RELASZ, RELACOUNT = 7, 8, 0x6ffffff9
start = offset(places[RELA][1])
entries = [f[at:at + 24] for at in range(start, start + places[RELASZ][1], 24)]
n = places[RELACOUNT][1]  # R_RELATIVE, which have to come first
assert 60 < n < len(entries), (n, len(entries))
random.seed(1)
if how == "reverse":
    entries[:n] = entries[:n][::-1]
elif how == "shuffle":
    part = entries[:n]
    random.shuffle(part)
    entries[:n] = part
elif how == "shuffle all":
    random.shuffle(entries)
    struct.pack_into("<Q", f, places[RELACOUNT][0], 0)
elif how == "words":  # an entry does not ask what is in the word
    for i, e in enumerate(entries[:n]):
        place, = struct.unpack_from("<Q", e)
        struct.pack_into("<Q", f, offset(place), i * 0x9e3779b97f4a7c15 & 2**64 - 1)
f[start:start + 24 * len(entries)] = b"".join(entries)
open(name, "wb").write(f)
END

# comes_back FILE: what is inside is b.so
comes_back() {
  rm -f copy.so
  run "$TURF" verify -q "$1"
  same wanted copy.so "$name: the library inside $1 is not the one that was frozen"
}

# original NAME CHANGE FREEZE-OPTIONS FLAG...: the library of feature/data_changed.c
original() {
  name=$1 change=$2 options=$3
  shift 3
  set -- "$TESTS/feature/data_changed.c" -- -O2 -include "$WORK/copy.h" "-DCOPY=\"$WORK/copy.so\"" "$@"
  build_plain a.so "$@"
  build_lib b.so "$@"
  [ -z "$change" ] || python3 change.py b.so "$change"
  python3 plain.py b.so >wanted
  freeze b.so c.so $options
  comes_back c.so
  kept=$("$TURF" info --json c.so | sed -n 's/.*"origin": \([0-9]*\).*/\1/p')
  echo "$name: $kept bytes"
  [ "$kept" -lt ${most:-2000} ] || fail "$name: of the original $kept bytes are kept"
  run "$DRIVER" ./a.so >live
  case $options in
  *--fallback*) return ;;
  *--fixed*) run "$DRIVER" -f -o $base ./c.so >frozen 2>/dev/null ;;
  *)
    fixed_elsewhere c.so d.so
    run "$DRIVER" -f ./d.so >frozen 2>/dev/null
    ;;
  esac
  same live frozen "$name: where it falls back on its init it answers otherwise"
}

original plain '' ''
strip c.so -o d.so
comes_back d.so
original "no way back at load" '' '--fallback fail'
original uncombined '' '' -Wl,-z,nocombreloc
original reversed reverse ''
original shuffled shuffle ''
original "all shuffled" "shuffle all" ''
most=4000 original "words with contents" words ''
original "own symbols" '' '' -Wl,-Bsymbolic,-z,now
original "text and headers apart" '' '' -Wl,-z,separate-code
base=0x2a0000000000
case $LD in
bfd) original "at one base" '' --fixed -Wl,-Bsymbolic,-Ttext-segment=$base ;;
lld) original "at one base" '' --fixed -Wl,-Bsymbolic,--image-base=$base ;;
esac
case $LD-$LIBC in
lld-*) original "words with addends" '' '' -Wl,--apply-dynamic-relocs ;;
bfd-glibc) original packed '' '' -Wl,-z,pack-relative-relocs ;;
esac
