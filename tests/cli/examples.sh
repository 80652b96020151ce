#!/bin/sh
# The examples do what they say: the program for a device, frozen, gives the same answers, and needs few of the
# instructions.
# configs: gcc-bfd-glibc
# file: static program
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need make qemu-aarch64=qemu-user aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu
musl=$LIBDIR/../musl-gcc-aarch64
[ -x "$musl" ] || skip "turf was built without musl for aarch64 (Debian package musl-dev:arm64)"
[ -f /usr/share/hunspell/en_US.dic ] || skip "en_US.dic is missing (Debian package hunspell-en-us)"

run make -s -C "$TESTS/../examples/embedded" TURF="$TURF" CROSS="$musl" OUT="$WORK/out" run >said
cat said
grep -qx 'librery: perhaps library' said || fail "it does not know its words"
grep -qx 'thaw: thaw' said || fail "it does not know its words"
live=$(cat out/words.count) frozen=$(cat out/words-frozen.count)
[ "$live" -gt 10000000 ] || fail "init takes no more than $live instructions: that shows nothing"
[ $((frozen * 100)) -lt "$live" ] || fail "frozen it executes $frozen instructions, otherwise $live"
# the dictionary is not needed any more: no file is opened
qemu-aarch64 -strace out/words-frozen thaw 2>trace >/dev/null
! grep -q 'open' trace || fail "frozen it opens files: $(grep open trace)"
