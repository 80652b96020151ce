#!/bin/sh
# Interrupted: no process and no file is left behind, and the status tells.
# configs: gcc-bfd-glibc gcc-lld-musl
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

# an init that is busy, and one that waits for its threads
cat >busy.c <<'END'
int urf_init(void) { for (;;) __asm__ volatile(""); }
END
cat >waits.c <<'END'
#include <pthread.h>
#include <unistd.h>
static void *work(void *p) { for (;;) pause(); return p; }
int urf_init(void)
{
  pthread_t thread;
  return pthread_create(&thread, 0, work, 0) || pthread_join(thread, 0);
}
END
build_lib busy.so busy.c
build_lib waits.so waits.c -- -pthread
echo "old contents" >"$OUT"
for signal in INT:busy TERM:busy HUP:busy TERM:waits; do
  library=${signal#*:} signal=${signal%:*}
  find "$WORK" | sort >"$RUN/before-${WORK##*/}"
  # a background process of sh ignores INT unless something resets it
  env --default-signal=INT "$TURF" freeze "$library.so" -o "$OUT" 2>/dev/null &
  pid=$!
  sleep 1
  children=$(ps -o pid= --ppid $pid)
  kill -s "$signal" "$pid"
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    ! kill -0 "$pid" 2>/dev/null || sleep 0.3
  done
  ! kill -0 "$pid" 2>/dev/null || { kill -KILL "$pid" && fail "turf did not end on SIG$signal"; }
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
