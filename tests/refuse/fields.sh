#!/bin/sh
# Numbers that differ, of one part of a word or at odd addresses, with pointers on either side: what is said of
# them, and what lines of a policy do to them, is about their own bytes, whatever the order of those is.
# configs: gcc-bfd-glibc gcc-bfd-glibc-s390x
# timeout: 300
# shellcheck disable=SC1091,SC2086,SC2154
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0
build_driver
cat >fields.c <<'END'
#include "feature.h"
#include <unistd.h>
#define DRAWN(type) ((type)((unsigned)getpid() * 2654435761u >> 8 * (4 - sizeof(type))))
static struct {
  uint32_t drawn, same;
  char *text;
  uint16_t two, drawn_too;
  uint32_t three;
  uint64_t long_one; /* its upper half is the same */
} fields;
static struct __attribute__((packed)) {
  char kind;
  char *text;
  uint32_t drawn;
  char *other;
  uint16_t drawn_too;
  char *last;
  char end;
} packed;
static struct { uint32_t same, drawn; } *pair;
/* the lowest bytes of a pointer, of which the rest is left */
static union { char *pointer; uint16_t part[4]; } old;
static char text[] = "text";
int urf_init(void)
{
  fields.drawn = DRAWN(uint32_t), fields.same = 0x11223344, fields.text = text;
  fields.two = 2, fields.drawn_too = DRAWN(uint16_t), fields.three = 3;
  fields.long_one = 0x1122334400000000 | DRAWN(uint32_t);
  packed.kind = 'k', packed.text = text + 1, packed.drawn = DRAWN(uint32_t);
  packed.other = strdup("other"), packed.drawn_too = DRAWN(uint16_t);
  packed.last = packed.other + 1, packed.end = 'e';
  pair = malloc(sizeof *pair);
  pair->same = 7, pair->drawn = DRAWN(uint32_t);
  old.pointer = text, old.part[__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 3 : 0] = DRAWN(uint16_t);
  return 0;
}
void answer(FILE *out)
{
  fprintf(out, "%x %s %d %d %x ", (unsigned)fields.same, fields.text, fields.two, (int)fields.three,
          (unsigned)(fields.long_one >> 32));
  fprintf(out, "%c%s%s%s%c %d", packed.kind, packed.text, packed.other, packed.last, packed.end, (int)pair->same);
  fprintf(out, " %x %x %x %x %x\n", !fields.drawn, !packed.drawn, !packed.drawn_too, !fields.drawn_too, !pair->drawn);
}
END
build_lib b.so fields.c

status=0
"$TURF" check --suggest b.so >suggested 2>said || status=$?
[ $status -eq 1 ] || fail "status $status: $(cat said)"
sed -n 's/ REASON$//p' suggested >lines
case $MACHINE in # the half of a long number that differs
s390x) long='fields+16:8 keep fields+28:4 keep' ;;
*) long='fields+16:16 keep' ;;
esac
want="fields+0:8 keep $long heap:urf_init#2+4:4 keep packed+9:4 keep packed+21:2 keep old+0:8 keep"
echo $want | sed 's/ keep */ keep\n/g' | sed '/^$/d' | sort >want
sort lines >have
same want have "it suggests other lines"

# of each no more than the field, and half of one: the other half is told
cat >policy <<'END'
fields+0:2 zero any will do
fields+18:2 keep any will do
END
[ "$MACHINE" != s390x ] || echo 'fields+28:4 keep any will do' >>policy
[ "$MACHINE" = s390x ] || echo 'fields+24:4 keep any will do' >>policy
cat >>policy <<'END'
packed+9:4 zero any will do
packed+21:2 zero any will do
heap:urf_init#2+4:4 keep any will do
old+0:8 zero it is set before it is used
END
expect_refusal 1 'fields+2 (.bss)' "$TURF" freeze b.so -o "$OUT" --policy policy
grep -q '1 word cannot be frozen' stderr || fail "more than that half is told"
echo 'fields+2:2 zero any will do' >>policy
freeze b.so c.so --policy policy
for _ in 1 2 3; do
  run "$DRIVER" -f ./c.so >out.txt
  grep -qx '11223344 text 2 3 11223344 kextotherthere 7 1 1 1 0 0' out.txt || fail "$(cat out.txt)"
done
