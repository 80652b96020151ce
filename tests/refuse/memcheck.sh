#!/bin/sh
# With --memcheck, what init has never written is cleared, and nothing else is.
# configs: gcc-bfd-glibc gcc-lld-musl
# timeout: 300
# shellcheck disable=SC1091
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need valgrind

build_driver
# library NAME STATEMENT: its init leaves garbage on the stack, and then runs the statement
library() {
  cat >"$1.c" <<END
#include "feature.h"
#include <sys/random.h>
struct padded { char tag; long value; char last; };
static struct padded kept, *heap;
static unsigned long it;
/* What is left there was made of an address, or is random. */
__attribute__((noinline)) static void dirty(unsigned long by)
{
  volatile unsigned long junk[64];
  for (int i = 0; i < 64; i++)
    junk[i] = ((uintptr_t)&kept + (uintptr_t)i * 8) * 0x9e3779b97f4a7c15u ^ by;
}
__attribute__((noinline)) static void fill(struct padded *to)
{
  struct padded p;
  __asm__ volatile("" : : "r"(&p) : "memory");
  p.tag = 'a', p.value = 5, p.last = 'z';
  __asm__ volatile("" : : "r"(&p) : "memory");
  memcpy(to, &p, sizeof p);
}
__attribute__((noinline)) static unsigned long garbage(void)
{
  unsigned long p[8];
  __asm__ volatile("" : : "r"(p) : "memory");
  return p[3];
}
static inline unsigned long number(void)
{
  unsigned long n;
  if (getrandom(&n, sizeof n, 0) != sizeof n)
    abort();
  return n;
}
int urf_init(void)
{
  if (!(heap = malloc(sizeof *heap)))
    return 1;
  dirty(0);
  $2;
  return 0;
}
void answer(FILE *out)
{
  fprintf(out, "%c %ld %c %d\n", kept.tag, kept.value, kept.last, it != 0);
  (void)fill, (void)garbage, (void)number;
}
END
  build_lib "$1.so" "$1.c" -- -O1 -g -Wno-unused-function
}

library padding 'fill(&kept); dirty(0); fill(heap)'
expect_refusal 1 kept "$TURF" freeze padding.so -o "$OUT"
freeze padding.so frozen.so --memcheck >said
cat said
grep -q 'bytes that init has never written' said || fail "nothing was cleared"
"$TURF" verify frozen.so || fail "cannot be verified"
run "$DRIVER" -f ./frozen.so >out.txt
[ "$(grep '^a ' out.txt | sort -u)" = "a 5 z 0" ] || fail "wrong: $(cat out.txt)"
"$TURF" check --memcheck padding.so || fail "check refuses it"

# written: a hash of an address, half of a word that is garbage
library hash 'it = (uintptr_t)&kept * 0x9e3779b97f4a7c15u; fill(&kept)'
expect_refusal 1 'it+0 (.bss)' "$TURF" freeze hash.so -o "$OUT" --memcheck
! grep -q kept stderr || fail "padding is refused"
library half 'it = (garbage() & 0xffffffffu) | ((uintptr_t)&kept >> 12 << 32)'
expect_refusal 1 'it (8 bytes' "$TURF" freeze half.so -o "$OUT" --memcheck

# undefined to memcheck, and a seed for all that
library seed 'it = number() ^ garbage()'
expect_refusal 1 'it (8 bytes' "$TURF" freeze seed.so -o "$OUT" --memcheck
library stirred 'unsigned long n = number(); dirty(n); it = garbage()'
expect_refusal 1 'it (8 bytes' "$TURF" freeze stirred.so -o "$OUT" --memcheck

# init that fails under valgrind, and no valgrind
library fails 'fill(&kept); if (getenv("LD_PRELOAD")) return 7'
expect_refusal 1 'under valgrind' "$TURF" freeze fails.so -o "$OUT" --memcheck
expect_refusal 3 'Debian package valgrind' env PATH=/nowhere "$TURF" freeze padding.so -o "$OUT" --memcheck
