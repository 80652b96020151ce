#!/bin/sh
# The layout of the heap: what is said of it, which pages stay clean, and all that makes turf go back to the
# plain one, which it has to say and which must not change what comes out.
# configs: gcc-bfd-glibc gcc-lld-musl clang-lld-glibc
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
need python3

cat >b.c <<'END'
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "urf.h"
struct node { struct node *next; char *text; };
struct node *list;
char *text, *extra;
__attribute__((visibility("default"))) int urf_init(void)
{
  for (int i = 0; i < 4000; i++) {
    struct node *n = malloc(sizeof *n);
    n->text = strdup("a text of forty bytes, more or less, ..");
    n->next = list;
    list = n;
    free(malloc((size_t)i % 300));
  }
  text = malloc(1 << 20);
  memset(text, 't', 1 << 20);
#ifdef SHORT /* another size where the block is gone */
  free(malloc(100 + (size_t)getpid() % 1000));
#endif
#ifdef SIZE /* where it is left */
  extra = malloc(100 + (size_t)getpid() % 1000 * 16);
#endif
#ifdef NUMBER /* another number of steps, which leaves no trace where blocks lie as they come */
  for (int i = getpid() % 97; i; i--)
    free(malloc(100));
  extra = malloc(64);
#endif
#ifdef ADDRESS
  extra = malloc(16 + (size_t)&list / 4096 % 64 * 16);
#endif
#ifdef RESERVE /* what is left lies where what is gone was: side by side they need more than there is */
  char *p = malloc(45 << 20);
  memset(p, 'p', 45 << 20);
  free(p);
  extra = malloc(40 << 20);
  memset(extra, 'e', 1 << 20);
#endif
#ifdef IGNORES /* what realloc says, when the block becomes smaller */
  char *q = malloc(1000);
  unsigned long before = (unsigned long)q;
  if ((unsigned long)(q = realloc(q, 10)) != before)
    abort();
  extra = q;
#endif
#ifdef HOOK
  extra = malloc(500);
#endif
  return 0;
}
#ifdef HOOK /* gone after all */
static void freeze(void) { free(extra); extra = NULL; }
URF_ON_FREEZE(freeze);
#endif
/* Pages of the text that this process has to itself. */
__attribute__((visibility("default"))) int own_pages(void)
{
  unsigned long entry, n = 0;
  int fd = open("/proc/self/pagemap", 0);
  for (char *p = text; p < text + (1 << 20); p += 4096)
    if (pread(fd, &entry, 8, (long)p / 4096 * 8) == 8)
      n += (entry >> 63) && !(entry >> 61 & 1);
  return (int)n;
}
END
sed -i 's/#include <time.h>/#include <fcntl.h>/' b.c

cat >load.c <<'END'
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
  void *lib = dlopen(argv[argc - 1], RTLD_NOW);
  int (*own)(void) = lib ? (int (*)(void))dlsym(lib, "own_pages") : 0;
  if (!own)
    return 1;
  printf("%d\n", own());
  return 0;
}
END

# build NAME FLAG...
build() {
  name=$1
  shift
  build_lib $name.so b.c -- -fvisibility=hidden -I"$LIBDIR/../include" "$@"
}
# fact NAME: of the last freeze
fact() {
  python3 -c 'import json, sys; x = json.load(open(sys.argv[1])); print(eval(sys.argv[2], x))' facts "$1"
}
# frozen NAME ARGUMENT...
frozen() {
  name=$1
  shift
  "$TURF" freeze $name.so -o $name-frozen.so --json "$@" >facts 2>said ||
    fail "$name is not frozen: $(cat said facts)"
  "$TURF" verify $name-frozen.so >/dev/null || fail "$name is not verified"
}
# plain NAME WHY
plain() {
  [ "$(fact layout)" = plain ] || fail "$1 has a layout"
  fact layout_why | grep -q "$2" || fail "$1: it says: $(fact layout_why)"
}

build b
frozen b
[ "$(fact layout)" = "by rehearsal" ] || fail "it has no layout: $(fact layout_why)"
[ "$(fact 'surviving_allocations, surviving_bytes')" = "(8001, $((4000 * 56 + 1048576)))" ] ||
  fail "what is left: $(fact 'surviving_allocations, surviving_bytes')"
[ "$(fact 'surviving_pointer_allocations, surviving_pointer_bytes')" = "(4000, 64000)" ] ||
  fail "with pointers: $(fact 'surviving_pointer_allocations, surviving_pointer_bytes')"
# with their headers: 4000 times 32 bytes are written, 4000 times 48 and the text are not
[ "$(fact 'heap_pages_written <= 33')" = True ] || fail "a load writes $(fact heap_pages_written) pages"
[ "$(fact 'heap <= 1048576 + 4000 * 80 + 4096')" = True ] || fail "the heap has $(fact heap) bytes"
cp b-frozen.so first.so
frozen b
cmp b-frozen.so first.so || fail "two freezes differ"
"$TURF" info b-frozen.so | grep -q 'layout *by rehearsal' || fail "info does not say so"
"$TURF" freeze b.so -o "$OUT" | grep -q '1272576 bytes in 8001 blocks are left' || fail "summary"
$CC_CMD load.c -o load -ldl
run ./load ./b-frozen.so >out
[ "$(cat out)" -eq 0 ] || fail "the process has $(cat out) pages of the text to itself"

# the same without the text between the nodes being in the way
build short -DSHORT
frozen short
[ "$(fact layout)" = "by rehearsal" ] || fail "what is gone must not matter: $(fact layout_why)"
build hook -DHOOK
frozen hook
[ "$(fact 'layout, surviving_allocations')" = "('by rehearsal', 8001)" ] || fail "a hook frees a block"

build reserve -DRESERVE
frozen reserve
plain reserve 'did not fit into the reserve'
build number -DNUMBER
frozen number
plain number '^allocation [0-9]* '
build ignores -DIGNORES
frozen ignores --fallback fail
plain ignores 'init did not succeed with it'
echo '.urf.heap+0:8 refuse there is nothing' >policy
frozen b --policy policy
plain b 'the policy names bytes of the heap'

# what differs with the address alone: a larger alignment cures it, which musl does not heed
build address -DADDRESS
if [ "$LIBC" = musl ]; then
  expect_refusal 1 'is not the same in every run' "$TURF" freeze address.so -o "$OUT"
else
  frozen address
  [ "$(fact 'align > 4096')" = True ] || fail "address needs no alignment"
fi
# what cannot be frozen in any layout, is not frozen
build size -DSIZE
expect_refusal 1 'is not the same in every run' "$TURF" freeze size.so -o "$OUT"
