#!/bin/sh
# Kernels whose pages have 64 KiB: what the loader has mapped, moved or given back is whole pages of theirs,
# though the library was frozen with pages of 4 KiB.  An emulator that says 64 KiB takes less, too, so its list
# of calls is looked at.
# configs: gcc-bfd-glibc-aarch64 clang-lld-glibc-aarch64 gcc-mold-glibc-aarch64
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
need python3
cat >library.c <<'END_C'
#include "feature.h"
#include <unistd.h>
enum { N = 200000 };
static char *line, **list, bss[300000];
int urf_init(void)
{
  /* neither end of the dense pointers is where a large page ends */
  line = malloc(20000);
  list = malloc(N * sizeof *list);
  if (!line || !list)
    return 1;
  memset(line, 'x', 20000);
  memset(bss, 'y', sizeof bss);
  for (int i = 0; i < N; i++)
    list[i] = line + i % 20000;
  return 0;
}
void answer(FILE *out)
{
  int good = 0;
  for (int i = 0; i < N; i++)
    good += *list[i] == 'x' && list[i] == line + i % 20000;
  for (size_t i = 0; i < sizeof bss; i++)
    good += bss[i] == 'y';
  fprintf(out, "%d\n", good);
}
END_C
build_plain a.so library.c
build_lib b.so library.c
small=$RUNNER large="$RUNNER -p 65536"
"$TRIPLE-gcc" -O1 "$TESTS/driver.c" -o driver -pthread -ldl # not through the script that runs it
run $small ./driver ./a.so >want.txt
freeze b.so c.so
fixed_elsewhere c.so d.so

# what calls are about that a kernel would round to its own pages, or refuse
cat >calls.py <<'END_PY'
import re, sys
bad = seen = 0
for line in sys.stdin:
    call = re.match(r"\d+ (mremap|munmap|madvise|mmap)\((.*)\) = ", line)
    if not call:
        continue
    name, args = call[1], call[2].split(",")
    number = lambda i: int(args[i], 0)
    whole = []
    if name == "mremap":
        whole = [number(0), number(1), number(2), number(4)]
        seen += 1
    elif name == "mmap" and "MAP_FIXED" in args[3]:
        whole = [number(0)] + ([number(1)] if "MAP_ANONYMOUS" in args[3] else [])
        seen += "MAP_ANONYMOUS" in args[3]
    elif name == "munmap":
        whole = [number(0)]
    elif name == "madvise" and args[2] == "MADV_DONTNEED":
        whole = [number(0), number(1)]
    if any(n % 65536 for n in whole):
        print(line, end="")
        bad = 1
sys.exit(bad or not seen)
END_PY
for file in c d; do
  for how in "$small" "$large"; do
    run $how ./driver -f ./$file.so >out.txt 2>said.txt
    same want.txt out.txt "$file.so answers otherwise ($how)"
  done
  $large -strace ./driver -f ./$file.so 2>calls.txt >out.txt || fail "status $?"
  python3 calls.py <calls.txt || fail "$file.so: not whole pages of 64 KiB, or no call at all"
done

# init that asks how large they are, or gives some of them a protection: where they have another size it runs
for how in sysconf getpagesize mprotect; do
  cat >asks.c <<END
#include "feature.h"
#include <sys/mman.h>
#include <unistd.h>
static long size;
#define sysconf() sysconf(_SC_PAGESIZE)
#define mprotect() (mprotect(aligned_alloc(65536, 65536), 65536, PROT_READ), 1)
int urf_init(void)
{
  size = $how();
  return 0;
}
void answer(FILE *out) { fprintf(out, "%ld\n", size); }
END
  build_plain a.so asks.c
  build_lib b.so asks.c
  freeze b.so c.so
  "$TURF" info c.so | grep -qx 'pages  *of 4096 bytes' || fail "$how: turf info does not say so"
  for how_run in "$small" "$large"; do
    run $how_run ./driver ./a.so >want.txt
    URF_DEBUG=1 run $how_run ./driver -f ./c.so >out.txt 2>said.txt
    same want.txt out.txt "$how: it answers otherwise ($how_run)"
    case $how_run in
    "$small") grep -q 'frozen; bias' said.txt || fail "$how: $(cat said.txt)" ;;
    *) grep -q 'init is run: init may have seen that pages have 4096 bytes' said.txt || fail "$how: $(cat said.txt)" ;;
    esac
  done
done
