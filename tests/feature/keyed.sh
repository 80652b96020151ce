#!/bin/sh
# Tables keyed by addresses come out the same where addresses are equal modulo some power of two: the
# smallest that will do is found, asked for, and checked at load.  What varies by itself is refused,
# however seldom it does.
# timeout: 400
# shellcheck disable=SC1091,SC2086,SC2094
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
build_driver

# keyed BIT: a table with linear probing, its index four bits of the key's address from BIT on
keyed() {
  cat >keyed$1.c <<END
#include "feature.h"
static struct key { int value; } keys[10];
static struct key *table[16];
static unsigned slot(const struct key *key) { return (unsigned)((uintptr_t)key >> $1) % 16; }
static struct key *find(const struct key *key)
{
  for (unsigned i = slot(key), n = 0; n < 16; n++, i = (i + 1) % 16)
    if (table[i] == key)
      return n < 12 ? table[i] : 0;
  return 0;
}
int urf_init(void)
{
  for (int i = 0; i < 10; i++) {
    unsigned at = slot(&keys[i]);
    while (table[at])
      at = (at + 1) % 16;
    keys[i].value = i * i;
    table[at] = &keys[i];
  }
  return 0;
}
void answer(FILE *out)
{
  for (int i = 0; i < 10; i++)
    fprintf(out, "%d ", find(&keys[i]) ? find(&keys[i])->value : -1);
  for (unsigned i = 0; i < 16 && table[slot(&keys[0])] == &keys[0]; i++)
    fprintf(out, "%d", table[(slot(&keys[0]) + i) % 16] != 0);
  fprintf(out, "\n");
}
END
  build_plain keyed$1-a.so keyed$1.c
  build_lib keyed$1-b.so keyed$1.c
}

# what the linker asks for anyhow, and gets but of musl
keyed 4
given=$(readelf -lW keyed4-b.so | awk '$1 == "LOAD" { print $NF; exit }')
[ $LIBC != musl ] || given=0x1000

for bit in 4:0x1000 12:0x10000 17:0x200000; do
  align=${bit#*:} bit=${bit%:*}
  keyed $bit
  [ $((align)) -gt $((given)) ] || align=$given
  if [ $LIBC = musl ] && [ $align != $given ]; then
    expect_refusal 1 table "$TURF" freeze keyed$bit-b.so -o "$OUT"
    continue
  fi
  freeze keyed$bit-b.so keyed$bit-c.so 2>warnings
  cat warnings
  case $align in
  "$given") [ ! -s warnings ] || fail "warned of a table that does not depend on addresses" ;;
  *) grep -q "table+.*multiples of $((align / 1024)) KiB" warnings || fail "no warning of the table" ;;
  esac
  run "$TURF" info keyed$bit-c.so >info.txt
  grep -q "^alignment  *$align," info.txt || fail "$(grep ^alignment info.txt), not $align"
  run "$DRIVER" ./keyed$bit-a.so >want.txt
  for _ in 1 2 3 4 5 6 7 8; do
    run "$DRIVER" -f ./keyed$bit-c.so >out.txt 2>/dev/null
    same want.txt out.txt "frozen it answers otherwise, bit $bit"
  done
  run "$TURF" verify keyed$bit-c.so
done

# So does how much is allocated; what other runs have beyond the end of the first one's heap does not
# come by itself.  The runs are 5 pages apart, modulo 16: the first has the most in 1 of 16 cases only.
if [ $LIBC != musl ] && [ $((given)) -lt 65536 ]; then
  cat >size.c <<'END'
#include "feature.h"
static unsigned char *block;
int urf_init(void)
{
  size_t n = 64 + 512 * (((uintptr_t)&block >> 12) * 13 % 16);
  block = malloc(n);
  return block ? !memset(block, 1, n) : 1;
}
void answer(FILE *out) { fprintf(out, "%d\n", block[63]); }
END
  build_lib size.so size.c
  freeze size.so size-c.so 2>warnings
  grep -q "multiples of 64 KiB" warnings || { cat warnings && fail "no alignment for the size of the heap"; }
fi

# beyond 2 MiB there is no alignment
keyed 25
expect_refusal 1 table "$TURF" freeze keyed25-b.so -o "$OUT"

[ -z "$RUNNER" ] || exit 0 # the rest is the same on all machines, and takes minutes in an emulator

# a random bit is not due to addresses, even when it happens to be the same in all runs with others
cat >random.c <<'END'
#include "feature.h"
#include <sys/random.h>
static int coin;
int urf_init(void)
{
  unsigned char c = 0;
  if (getrandom(&c, 1, 0) != 1)
    return 1;
  coin = c & 1;
  return 0;
}
void answer(FILE *out) { fprintf(out, "%d\n", coin >= 0); }
END
build_lib random.so random.c
aligned=0
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  "$TURF" check random.so >out.txt 2>&1 || :
  ! grep -q "depend on addresses" out.txt || aligned=$((aligned + 1))
done
[ $aligned -eq 0 ] || fail "$aligned of 20 times a random bit was taken for an address's"
