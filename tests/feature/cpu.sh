#!/bin/sh
# A library whose init chooses functions by the features of the CPU: where one is missing init runs again,
# or the load fails, and a policy says that it does not matter.
# configs: gcc-bfd-glibc gcc-lld-musl clang-lld-glibc
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need readelf=binutils python3
build_driver

cat >choice.c <<'END_C'
#include "feature.h"
static int plain(const int *p, int n)
{
  int sum = 0;
  for (int i = 0; i < n; i++)
    sum += p[i];
  return sum;
}
__attribute__((target("avx512f,avx512vl"))) static int wide(const int *p, int n)
{
  typedef int many __attribute__((vector_size(64), aligned(4)));
  many sum = {0};
  int all = 0;
  for (int i = 0; i < n; i += 16)
    sum += *(const many *)&p[i];
  for (int i = 0; i < 16; i++)
    all += sum[i];
  return all;
}
static int (*chosen)(const int *, int);
static int numbers[160], inits;
int urf_init(void)
{
  __builtin_cpu_init();
  chosen = __builtin_cpu_supports("avx512vl") ? wide : plain;
  inits++;
  return 0;
}
void answer(FILE *out)
{
  for (int i = 0; i < 160; i++)
    numbers[i] = i * i;
  fprintf(out, "%d %d\n", chosen(numbers, 160), inits);
}
END_C
cat >asks.c <<'END_C'
#include "feature.h"
#include <sys/auxv.h>
static unsigned long features;
int urf_init(void) { features = getauxval(AT_HWCAP); return 0; }
void answer(FILE *out) { fprintf(out, "%d\n", features != 0); }
END_C
printf '#include "feature.h"\nint urf_init(void) { return 0; }\nvoid answer(FILE *out) { fputs("", out); }\n' >none.c
for name in choice asks none; do build_lib $name.so $name.c; done

# seen NAME TEXT [ARGUMENT...]: what turf info says of its frozen form
seen() {
  name=$1 text=$2
  shift 2
  freeze $name.so $name-frozen.so "$@"
  "$TURF" info $name-frozen.so | grep -q "^cpu *$text" || fail "$name: turf info does not say: $text"
}
seen choice "with the features"
seen asks "with the features"
seen none any
echo 'process:cpu keep there is but one kind of machine' >policy
expect_refusal 1 "policy:1" "$TURF" freeze none.so -o "$OUT" --policy policy
run "$DRIVER" -f ./choice-frozen.so >out.txt

# lacks FILE: the file as if it came from a CPU that has more than this one
lacks() {
  end=$(($(readelf -SW "$1" |
    sed -n 's/.* \.note\.urf  *NOTE  *[0-9a-f]* \([0-9a-f]*\) \([0-9a-f]*\) .*/0x\1+0x\2/p')))
  python3 - "$1" $((end - 96)) <<'END_P' # cpu, the last of struct urf_note
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    f.write(b"\xff\xff\xff\xff")
END_P
}
lacks choice-frozen.so
run env URF_DEBUG=1 "$DRIVER" -f ./choice-frozen.so >out.txt 2>said
grep -q "init is run: init may have seen features of the CPU that this one lacks, in cpuid leaf 1$" \
  said || fail "it does not say why: $(cat said)"
grep -qx "1352560 1" out.txt || fail "init has not run instead: $(cat out.txt)"
seen choice "with the features" --fallback fail
lacks choice-frozen.so
"$DRIVER" -f ./choice-frozen.so >out.txt 2>said && fail "it was loaded"
grep -q "in cpuid leaf 1$" said || fail "it does not say why: $(cat said)"
seen choice any --policy policy

# valgrind's CPU has fewer features than many
if [ $LIBC = glibc ] && command -v valgrind >/dev/null; then
  seen choice "with the features"
  run valgrind -q "$DRIVER" -f ./choice-frozen.so >out.txt
  grep -qx "1352560 1" out.txt || fail "under valgrind: $(cat out.txt)"
fi
