#!/bin/sh
# What a report says of a word: where it hangs, who allocated it, what it holds in each run, and what
# accepts it.
# configs: gcc-bfd-glibc clang-lld-glibc gcc-lld-musl
# timeout: 400
# shellcheck disable=SC1091,SC2086
. "$(dirname "$0")/../lib.sh"
[ "$TURF" != none ] || exit 0

# report NAME [OPTION...]: what turf check says of NAME.so, which it refuses, is in NAME.txt
report() {
  name=$1
  shift
  status=0
  "$TURF" check "$@" "$name.so" 2>"$name.txt" || status=$?
  cat "$name.txt"
  [ $status -eq 1 ] || fail "$name: status $status"
}

# says NAME TEXT: on one line, blanks at its beginning aside
says() {
  grep -qF -e "$2" "$1.txt" || fail "$1: the report does not say: $2"
}

# address SYMBOL FILE
address() {
  nm "$2" | awk -v s="$1" '$3 == s { print $1 }'
}

# word FILE OFFSET: eight bytes as a number
word() { od -An -tx8 -j "$2" -N 8 "$1" | tr -d ' '; }

# random numbers in a variable, in blocks that a table leads to, in a list, and in a leaked block
cat >many.c <<'END2'
#include "feature.h"
struct node { struct node *next; long key; unsigned long stamp; };
struct state { int kind; struct node *table[4]; } state;
static struct node *list;
unsigned long seed;
static unsigned long fresh(void) { return seed += seed << 7 ^ seed >> 9; }
__attribute__((noinline)) static struct node *make(void)
{
  struct node *n = calloc(1, sizeof *n);
  n->stamp = fresh();
  return n;
}
__attribute__((noinline)) static void hang(struct node **where)
{
  *where = malloc(sizeof **where);
  (*where)->next = 0;
  (*where)->key = 1;
  (*where)->stamp = fresh();
}
__attribute__((noinline)) static void chain(void)
{
  for (int i = 0; i < 20; i++) {
    struct node *n = malloc(sizeof *n);
    n->next = list;
    n->key = i;
    n->stamp = i ? 7 : fresh();
    list = n;
  }
}
__attribute__((noinline)) static void leak(void)
{
  unsigned long *gone = malloc(16);
  *gone = fresh();
  __asm__ volatile("" : : "r"(gone) : "memory");
}
int urf_init(void)
{
  FILE *f = fopen("/dev/urandom", "r");
  if (!f || fread(&seed, sizeof seed, 1, f) != 1 || fclose(f))
    return 1;
  state.table[3] = make();
  hang(&state.table[3]->next);
  list = state.table[3]->next; /* one step to what hang has made */
  chain();
  leak();
  return 0;
}
END2
build_lib many.so many.c -- -g0 -O1
report many --keep runs
routes() { sed -n 's/^ *reached by: *//p' "$1.txt" | sed 's/+0x[0-9a-f]*//g' | sort >routes; }
routes many
sort >expected <<'END2'
state+32 -> block of make +16
list+0 -> block of chain +0 -> block of chain +0 -> block of chain +0 -> (14 more) -> block of chain +0 -> block of chain +0 -> block of chain +16
state+32 -> block of make +0 -> block of hang +16
no pointer that turf has found; a leak?
END2
same expected routes "routes"

# the same in the words of the source
build_lib typed.so many.c -- -g -O1
report typed
routes typed
sort >expected <<'END2'
state.table[3]->stamp
list->next->next->next -> (14 more) -> ...->next->next->stamp
state.table[3]->next->stamp
no pointer that turf has found; a leak?
END2
same expected routes "routes with types"

# the values are those of the runs
offset=$((0x$(address seed many.so) - 0x$(address __urf_data many.so)))
line="seed+0 (.bss):"
for run in 1 2 3; do line="$line 0x$(word runs/data$run $offset)"; done
says many "$line"
grep -c 'to accept it:' many.txt | grep -qx 5 || fail "not every group has a policy"

# whatever the types: what VARY was given is what the report says
cat >zoo.c <<'END2'
#include "feature.h"
static unsigned long seed;
static unsigned long fresh(void) { return seed += seed << 7 ^ seed >> 9; }
#define VARY(place) ((place) = (__typeof__(place))fresh())
struct item { char name[12]; unsigned hash; const struct item *peer; };
typedef struct item items[3];
typedef struct { int kind; items all[2]; } box;
typedef const volatile box constant_box;
struct tail { long n; struct { int a, b; } open[]; };
struct later;
struct middle { long before; struct later *later; };
struct entry { int key; unsigned value; };
static box boxes[4];
static union { struct { long tag; unsigned low, high; } parts; } one;
static struct { int first; struct { unsigned inner; union { long whole; } ; } ; } unnamed;
static unsigned long grid[3][4][5];
static struct { unsigned flags : 3; unsigned rest : 29; unsigned long number : 40; } bits;
static struct tail *tail;
static struct middle middle;
static struct entry *table;
static unsigned long (*rows)[3], *numbers;
static struct item **index_of;
static constant_box *constant;
struct later { long unused; unsigned long here; };
__attribute__((noinline)) static void count(void)
{
  static unsigned long counter;
  { static struct { long pad, in; } deep; VARY(deep.in); }
  VARY(counter);
}
int urf_init(void)
{
  FILE *f = fopen("/dev/urandom", "r");
  if (!f || fread(&seed, sizeof seed, 1, f) != 1 || fclose(f))
    return 1;
  tail = calloc(1, sizeof *tail + 5 * sizeof *tail->open);
  middle.later = calloc(1, sizeof *middle.later);
  table = calloc(7, sizeof *table);
  rows = calloc(3, sizeof *rows);
  numbers = calloc(9, sizeof *numbers);
  index_of = calloc(4, sizeof *index_of);
  index_of[2] = calloc(1, sizeof **index_of);
  box *changing = calloc(1, sizeof *constant);
  constant = changing;
  VARY(boxes[2].all[1][2].hash);
  VARY(one.parts.high);
  VARY(unnamed.inner);
  VARY(unnamed.whole);
  VARY(grid[2][3][4]);
  VARY(tail->open[4].b);
  VARY(middle.later->here);
  VARY(table[5].value);
  VARY(rows[2][1]);
  VARY(numbers[7]);
  VARY(index_of[2]->hash);
  bits.number = fresh();
  changing->all[0][1].hash = fresh();
  count();
  return 0;
}
END2
build_lib zoo.so zoo.c -- -g -O0
report zoo -v
{
  sed -n 's/^  VARY(\(.*\));$/\1/p' zoo.c | grep -v '^counter$'
  printf '%s\n' 'constant->all[0][1].hash' bits.number count::counter count::deep.in seed
} | sort >expected
{
  sed -n 's/^ *reached by: *//p; s/^ *\([^ ]*\), .*+[0-9]* (.*/\1/p' zoo.txt
} | sort >places
same expected places "the source's words"

# what a pointer's type does not tell is not told: a part that others have in common, a void
cat >unsound.c <<'END2'
#include "feature.h"
struct link { struct link *next, *prev; };
struct node { struct link link; long more[4]; };
static struct link head;
void *nothing;
int urf_init(void)
{
  struct node *n = calloc(1, sizeof *n);
  unsigned long *words = calloc(4, sizeof *words);
  FILE *f = fopen("/dev/urandom", "r");
  if (!f || fread(n->more + 3, 8, 1, f) != 1 || fread(words + 2, 8, 1, f) != 1 || fclose(f))
    return 1;
  head.next = head.prev = &n->link;
  n->link.next = n->link.prev = &head;
  nothing = words;
  return 0;
}
END2
build_lib unsound.so unsound.c -- -g -O1
report unsound
routes unsound
sort >expected <<'END2'
head.next -> block of urf_init +40
nothing -> block of urf_init +16
END2
same expected routes "no types"

# nor by a type that is only declared, when there are several definitions of it
cat >user.c <<'END2'
#include "feature.h"
struct hidden;
struct hidden *make_a(unsigned long seed), *make_b(void);
struct hidden *opaque;
int urf_init(void)
{
  unsigned long seed;
  FILE *f = fopen("/dev/urandom", "r");
  if (!f || fread(&seed, sizeof seed, 1, f) != 1 || fclose(f))
    return 1;
  opaque = make_a(seed);
  return !make_b();
}
END2
cat >a.c <<'END2'
#include "feature.h"
struct hidden { long first; unsigned long random; };
struct hidden *make_a(unsigned long seed);
struct hidden *make_a(unsigned long seed)
{
  struct hidden *h = malloc(sizeof *h);
  *h = (struct hidden){1, seed};
  return h;
}
END2
sed 's/make_a(unsigned long seed)/make_b(void)/; s/, seed}/, 2}/; s/random/number/' a.c >b.c
build_lib hidden.so user.c a.c b.c -- -g -O1
report hidden
says hidden 'opaque -> block of make_a'
sed -i 's/number/random/' b.c
build_lib hidden.so user.c a.c b.c -- -g -O1
report hidden
says hidden 'opaque->random'

# C++: namespaces, classes and what they are derived from
if [ "$LIBC" = glibc ]; then
  cat >classes.cc <<'END2'
#include <cstdio>
static unsigned long seed;
static unsigned long fresh() { return seed += seed << 7 ^ seed >> 9; }
namespace outer {
struct base { virtual ~base() {} unsigned long tag = 0; };
struct derived : base { unsigned long more[3] = {}; };
struct state { int kind; derived *own; base *plain; static unsigned long shared; };
state instance;
unsigned long state::shared;
}
extern "C" int urf_init(void)
{
  FILE *f = fopen("/dev/urandom", "r");
  if (!f || fread(&seed, sizeof seed, 1, f) != 1 || fclose(f))
    return 1;
  outer::instance.own = new outer::derived;
  outer::instance.own->more[1] = fresh();
  outer::instance.plain = new outer::derived;
  outer::instance.plain->tag = fresh();
  outer::state::shared = fresh();
  return 0;
}
END2
  build_lib classes.so classes.cc -- -g -O1 -Wl,-Bsymbolic
  report classes
  for place in 'outer::instance.own->more[1]' 'outer::instance.plain->tag' 'outer::state::shared,'; do
    says classes "$place"
  done
fi

# who allocated: the functions and lines of the last allocation in the block, and modules between them
cat >stack.c <<'END2'
#include "feature.h"
unsigned long seed, *first, *second, *third;
static inline __attribute__((always_inline)) unsigned long *inlined(unsigned long *old)
{
  return realloc(old, 800); /* line inlined */
}
__attribute__((noinline)) static unsigned long *inner(unsigned long *old)
{
  unsigned long *p = inlined(old); /* line inner */
  return p + (p[3] = seed, 0);
}
__attribute__((noinline)) static void outer(void)
{
  first = inner(malloc(8)); /* line outer */
  first[4] = seed;
}
__attribute__((noinline)) static int compare(const void *a, const void *b)
{
  if (!second)
    (second = malloc(24))[1] = seed; /* line compare */
  return *(const int *)a - *(const int *)b;
}
__attribute__((noinline)) static void sort_all(void)
{
  int numbers[] = {3, 2, 1};
  qsort(numbers, 3, sizeof *numbers, compare); /* line sort_all */
  *second += (unsigned long)numbers[0];
}
__attribute__((constructor)) static void early(void)
{
  third = malloc(40); /* line early */
}
int urf_init(void)
{
  FILE *f = fopen("/dev/urandom", "r");
  if (!f || fread(&seed, sizeof seed, 1, f) != 1 || fclose(f))
    return 1;
  outer(); /* line urf_init */
  sort_all(); /* line sorted */
  third[2] = seed;
  return 0;
}
END2
# musl-gcc does not ask for unwind tables that can be found
build_lib stack.so stack.c -- -g -O1 -fno-optimize-sibling-calls -Wl,--eh-frame-hdr
report stack
at() { echo "$1 (stack.c:$(grep -n "line ${2:-$1} \*/" stack.c | cut -d : -f 1))"; }
{
  echo "$(at inlined) $(at inner) $(at outer) $(at urf_init)"
  case $LIBC in # musl's own functions have no unwind tables
  musl) at compare ;;
  *) echo "$(at compare) another module $(at sort_all) $(at urf_init sorted)" ;;
  esac
  at early
} | sort >expected
awk '/varies with/ && on { print line; on = 0 }
  sub(/^ *allocated by: */, "") { line = ""; on = 1 }
  on { sub(/^ */, ""); if (/so[.0-9]*\)$/) $0 = "another module"
       if ($0 != last) line = line (line ? " " : "") $0; last = $0 }' stack.txt | sort >frames
same expected frames "stacks"
build_lib bare.so stack.c -- -g0 -O1 -fno-optimize-sibling-calls -Wl,--eh-frame-hdr
report bare
sed -n '/allocated by:/,/varies with/p' bare.txt | grep -q '^ *outer+0x[0-9a-f]*$' ||
  fail "no names without debug information"

# debug information in a file of its own
cp typed.so apart.so
objcopy --only-keep-debug apart.so apart.debug
objcopy --strip-all --add-gnu-debuglink=apart.debug apart.so
report apart
says apart 'state.table[3]->next->stamp'
rm apart.debug
report apart
! grep -q 'state.table' apart.txt || fail "names without debug information"
