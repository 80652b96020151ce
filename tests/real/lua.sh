#!/bin/sh
# shellcheck disable=SC1091,SC2086
# timeout: 900
# Lua 5.4 from Debian's source package, with a table of 200,000 records.
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

source=$(debian_source lua5.4)/src
# Debian's build writes this header; it only goes into the default search path.
echo '#define DEB_HOST_MULTIARCH "none"' >"$WORK/lua5.4-deb-multiarch.h"

# Lua seeds its string hash from addresses and the time, unless this macro says otherwise.
for file in "$source"/l*.c "$real/lua.c"; do
  case ${file##*/} in luac.c) continue ;; esac
  [ "$file" != "$source/lua.c" ] || continue
  set -- "$@" "$WORK/${file##*/}.o"
  $CC_CMD -O2 -g -fPIC -fvisibility=hidden -DLUA_USE_LINUX '-Dluai_makeseed(L)=0x5eed' \
    -I"$source" -I"$WORK" -Wa,-I,"$real" -c "$file" -o "$WORK/${file##*/}.o"
done
for kind in plain turf; do
  turf=
  [ $kind = plain ] || turf="-L$LIBDIR -T urf.ld -Wl,--defsym=__urf_heap_size=0x8000000"
  $CC_CMD $LD_FLAG -shared -o "$WORK/$kind.so" "$@" -lm -ldl $turf
done
prove "Lua" "$real/lua.policy"
