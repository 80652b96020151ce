#!/bin/sh
# not: mold the size of the heap cannot be set without urf.ld
# shellcheck disable=SC1091,SC2086
# machines: gcc
# timeout: 900
# Lua 5.4 from Debian's source package, with a table of 200,000 records (run by an emulator, of 10,000).
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
real=$here/real
. "$real/real.inc"

policy=lua.policy
[ $BITS = 64 ] || policy=lua_$MACHINE.policy
link_lua
prove "Lua" "$real/$policy"
