#!/bin/sh
# Interrupted: no process and no file is left behind, and the status tells.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

cat >library.c <<'END'
int urf_init(void) { for (;;) __asm__ volatile(""); }
END
build_lib b.so library.c
echo "old contents" >"$OUT"
for signal in INT TERM HUP; do
  find "$WORK" | sort >"$RUN/before-${WORK##*/}"
  # a background process of sh ignores INT unless something resets it
  env --default-signal=INT "$TURF" freeze b.so -o "$OUT" 2>/dev/null &
  pid=$!
  sleep 1
  children=$(ps -o pid= --ppid $pid)
  kill -s $signal $pid
  status=0
  wait $pid || status=$?
  [ $status -ne 0 ] || fail "status 0 after SIG$signal"
  sleep 0.2
  for child in $children; do
    ! kill -0 "$child" 2>/dev/null || fail "process $child is left behind after SIG$signal"
  done
  find "$WORK" | sort >"$RUN/after-${WORK##*/}"
  same "$RUN/before-${WORK##*/}" "$RUN/after-${WORK##*/}" "files left behind after SIG$signal"
  [ "$(cat "$OUT")" = "old contents" ] || fail "the output was touched by SIG$signal"
done
