// The policy file: its grammar, what its names mean in a capture, and the names that the report
// gives to bytes, which have to mean the same.
// with: capture/policy.c capture/outside.c capture/others.c capture/owner.c capture/report.c capture/groups.c
// with: capture/roots.c capture/debug.c capture/json.c capture/diff.c capture/util.c
// libs: -ldw -lelf -ljansson

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "groups.h"

enum { SIZE = 0x3000, DATA = 0x203000, BSS = DATA + 0x1000, HEAP = DATA + 0x2000 };

static int failed;
#define CHECK(x) ((x) ? (void)0 : (failed = 1, (void)printf("%s:%d: %s\n", __FILE__, __LINE__, #x)))

static struct symbol symbols[] = {
    {(char *)"make", 0x1000, 0x100, true},
    {(char *)"twin", 0x1100, 0x100, true},
    {(char *)"twin", 0x1200, 0x100, true},
    {(char *)"counter", DATA + 8, 4, false},
    {(char *)"cache", DATA + 0x10, 0x100, false},
    {(char *)"label", DATA + 0x200, 0, false},
    {(char *)"state", BSS, 24, false},
    {(char *)"state", BSS + 0x40, 24, false},
};
static struct block blocks[] = {
    {HEAP + 0x10, 0x30, true},  {HEAP + 0x50, 0x30, false}, {HEAP + 0x90, 0x30, true},
    {HEAP + 0xd0, 0x30, true},  {HEAP + 0x110, 0x30, true}, {HEAP + 0x150, 0x30, true},
    {HEAP + 0x190, 0x30, true}, {HEAP + 0x1d0, 0x30, true},
};
/* number 0 was in the first block before, number 2 in the free one */
static struct allocation allocations[] = {
    {HEAP + 0x10, 0x30, 4, 0x1010, 1},  {HEAP + 0x90, 0x28, 4, 0x1020, 3},
    {HEAP + 0xd0, 0x30, 4, 0x1150, 4},  {HEAP + 0x110, 0x30, 4, 0x1250, 5},
    {HEAP + 0x150, 0x30, 4, 0x2222, 6}, {HEAP + 0x1d0, 0x30, 4, 0, 7},
};
static struct library lib;
static struct capture run;
static char *directory;

void freeze_cleanup(void) {}
void variables_read(struct variables *n, const char *path, bool exports)
{
  (void)path, (void)exports;
  *n = (struct variables){0};
}
void variables_free(struct variables *n)
{
  (void)n;
}

const struct symbol *library_symbol(const struct library *l, uint64_t address)
{
  for (size_t i = l->symbols.n; i-- > 0;)
    if (address - l->symbols.at[i].value < l->symbols.at[i].size)
      return &l->symbols.at[i];
  return NULL;
}

static void start(void)
{
  lib.path = (char *)"lib.so";
  lib.form = native(8);
  lib.note.data = DATA;
  lib.note.bss = BSS;
  lib.note.heap = HEAP;
  lib.region_size = SIZE;
  lib.symbols.at = symbols;
  lib.symbols.n = sizeof symbols / sizeof *symbols;
  run.lib = &lib;
  CHECK(!region_init(&run.region, NULL, SIZE, native(8)));
  run.size = SIZE;
  run.blocks.at = blocks;
  run.blocks.n = sizeof blocks / sizeof *blocks;
  run.allocations.at = allocations;
  run.allocations.n = sizeof allocations / sizeof *allocations;
}

/* Reads a policy of n bytes. */
static int read_bytes(struct policy *p, const char *text, size_t n, struct error *e)
{
  char *path = xprintf("%s/file", directory);
  FILE *f = fopen(path, "w");
  CHECK(f && fwrite(text, 1, n, f) == n && !fclose(f));
  *e = (struct error){0};
  int status = policy_read(p, path, e);
  unlink(path);
  free(path);
  return status;
}

static int read_text(struct policy *p, const char *text, struct error *e)
{
  return read_bytes(p, text, strlen(text), e);
}

/* Whether the file is refused, and the message says what. */
static bool refused(const char *text, const char *what)
{
  struct policy p;
  struct error e;
  bool as_it_should = read_text(&p, text, &e) && e.status == REFUSED && strstr(e.text, what);
  if (!as_it_should)
    printf("%s: %s\n", text, e.text ? e.text : "accepted");
  error_free(&e);
  policy_free(&p);
  return as_it_should;
}

/* Binds a policy of one line with this WHAT; on success the range, else size 0. */
static struct range bind(const char *what, struct error *e)
{
  struct policy p;
  struct range range = {0};
  char *line = xprintf("%s keep for a test\n", what);
  CHECK(!read_text(&p, line, e));
  CHECK(p.lines.n == 1);
  if (!e->text && !policy_bind(&p, &lib, &run, e))
    range = p.lines.at[0].ranges.n == 1 ? p.lines.at[0].ranges.at[0] : range;
  policy_free(&p);
  free(line);
  return range;
}

static bool means(const char *what, size_t offset, size_t size)
{
  struct error e;
  struct range r = bind(what, &e);
  if (r.offset != offset || r.size != size)
    printf("%s is %zx, %zx: %s\n", what, r.offset, r.size, e.text ? e.text : "bound");
  bool right = r.offset == offset && r.size == size && !e.text;
  error_free(&e);
  return right;
}

static bool means_nothing(const char *what, const char *why)
{
  struct error e;
  struct range r = bind(what, &e);
  bool right = !r.size && e.text && e.status == REFUSED && strstr(e.text, why) &&
               strstr(e.text, what) && strstr(e.text, "file:1: ");
  if (!right)
    printf("%s: %s\n", what, e.text ? e.text : "bound");
  error_free(&e);
  return right;
}

static void test_grammar(void)
{
  struct policy p;
  struct error e;
  CHECK(!read_text(&p,
                   "# a comment\n\n  counter\tkeep   any value  will do \r\n"
                   "\t# another\ncache+0x10:16 zero it is filled again\nheap:make#2+8 keep why not",
                   &e));
  CHECK(p.lines.n == 3);
  CHECK(p.lines.at[0].line == 3 && p.lines.at[0].action == ACT_KEEP);
  CHECK(strcmp(p.lines.at[0].reason, "any value  will do") == 0);
  CHECK(strcmp(p.lines.at[1].what, "cache+0x10:16") == 0 && p.lines.at[1].action == ACT_ZERO);
  CHECK(strcmp(p.lines.at[2].reason, "why not") == 0 && p.lines.at[2].line == 6);
  policy_free(&p);
  CHECK(!read_text(&p, "", &e) && !p.lines.n);
  policy_free(&p);

  CHECK(refused("counter\n", "file:1: counter: no action"));
  CHECK(refused("counter keep\n", "file:1: counter: a reason is required"));
  CHECK(refused("counter keep \t\r\n", "reason"));
  CHECK(refused("counter keep REASON\n", "REASON"));
  CHECK(refused("counter keep I have no\tREASON\n", "REASON"));
  CHECK(refused("counter hold for now\n", "unknown action hold"));
  CHECK(refused("\nheap:f transient for now\n", "file:2: heap:f: memory has no initialiser"));
  CHECK(refused("process:cwd refuse x\n", "only the action keep"));
  CHECK(refused("a:8 keep x\n", "OFFSET"));
  CHECK(refused("a+ keep x\n", "OFFSET"));
  CHECK(refused("a+x keep x\n", "OFFSET"));
  CHECK(refused("a+0x keep x\n", "OFFSET"));
  CHECK(refused("a+-1 keep x\n", "OFFSET"));
  CHECK(refused("a+18446744073709551616 keep x\n", "OFFSET"));
  CHECK(refused("a+0: keep x\n", "SIZE"));
  CHECK(refused("a+0:0 keep x\n", "SIZE"));
  CHECK(refused("a+0:8:8 keep x\n", "SIZE"));
  CHECK(refused("heap:f#0 keep x\n", "#"));
  CHECK(refused("heap:f#x keep x\n", "#"));
  CHECK(refused("heap:f#** keep x\n", "#"));
  CHECK(refused("f#* keep x\n", "#"));
  CHECK(refused("heap: keep x\n", "name"));
  CHECK(refused("+8 keep x\n", "name"));
  CHECK(refused("a keep\nb keep\n", "file:2: b"));
  CHECK(read_bytes(&p, "a keep x\0y\n", 11, &e) && e.status == REFUSED && strstr(e.text, "NUL"));
  error_free(&e);
  policy_free(&p);
  CHECK(policy_read(&p, "/nowhere/policy", &e) && e.status == SYSTEM && strstr(e.text, "/nowhere"));
  error_free(&e);
  policy_free(&p);
  CHECK(policy_read(&p, directory, &e) && e.status == SYSTEM);
  error_free(&e);
  policy_free(&p);
}

static void test_symbols(void)
{
  CHECK(means("counter", 8, 4));
  CHECK(means("counter+0:8", 8, 8)); /* the rest of the word */
  CHECK(means("counter+2", 10, 2));
  CHECK(means_nothing("counter+0:9", "reach"));
  CHECK(means_nothing("counter+4", "reach"));
  CHECK(means("cache+0xf8:8", 0x108, 8));
  CHECK(means_nothing("cache+0xf8:9", "reach"));
  CHECK(means_nothing("cache+8:0xffffffffffffffff", "reach"));
  CHECK(means_nothing("cache+0xffffffffffffffff:8", "reach"));
  CHECK(means_nothing("state", "2 variables of that name: write state#1"));
  CHECK(means("state#1", BSS - DATA, 24));
  CHECK(means("state#2+8:8", BSS - DATA + 0x48, 8));
  CHECK(means_nothing("state#3", "2 variables of that name"));
  CHECK(means("counter#1", 8, 4));
  CHECK(means_nothing("counter#2", "1 variable of that name"));
  CHECK(means("label+8:8", 0x208, 8));
  CHECK(means_nothing("label", "SIZE"));
  CHECK(means_nothing("label+0:0x2e01", "reach"));
  CHECK(means_nothing("make", "not frozen"));
  CHECK(means_nothing("nothing", "no symbol nothing"));
  CHECK(means(".bss+0x20:8", BSS - DATA + 0x20, 8));
  CHECK(means(".urf.heap+0x1d0:0x10", HEAP - DATA + 0x1d0, 0x10));
  CHECK(means(".data", 0, BSS - DATA));
}

static void test_blocks(void)
{
  CHECK(means("heap:make", HEAP - DATA + 0x10, 0x30));
  CHECK(means("heap:make#2+0x10:8", HEAP - DATA + 0xa0, 8));
  CHECK(means_nothing("heap:make#3", "make has 2 blocks"));
  CHECK(means("heap:twin#2", HEAP - DATA + 0x110, 0x30)); /* two functions of one name */
  CHECK(means("heap:0x2222", HEAP - DATA + 0x150, 0x30));
  CHECK(means_nothing("heap:0x1010", "0 blocks")); /* it has a name */
  CHECK(means_nothing("heap:0x0", "0 blocks"));
  CHECK(means_nothing("heap:make+0x30", "reach"));
  CHECK(means_nothing("heap:make+0x2c:8", "reach"));
}

/* All of a function's, but for those that are too short. */
static void test_all_blocks(void)
{
  struct policy p;
  struct error e;
  CHECK(!read_text(&p, "heap:make#*+8:16 keep a\nheap:twin#* keep b\n", &e));
  CHECK(!policy_bind(&p, &lib, &run, &e));
  const struct range *r = p.lines.at[0].ranges.at;
  CHECK(p.lines.at[0].ranges.n == 2 && p.lines.at[1].ranges.n == 2);
  CHECK(r[0].offset == HEAP - DATA + 0x18 && r[0].size == 16);
  CHECK(r[1].offset == HEAP - DATA + 0x98 && r[1].size == 16);
  CHECK(!policy_bind(&p, &lib, &run, &e) && p.lines.at[0].ranges.n == 2); /* and again */
  policy_free(&p);
  blocks[0].size = 8;
  CHECK(means("heap:make#*+8:16", HEAP - DATA + 0x98, 16));
  blocks[0].size = 0x30;
  CHECK(means_nothing("heap:make#*+0x30:8", "reach"));
  CHECK(means_nothing("heap:nobody#*+8:8", "nobody has 0 blocks"));
}

/* Reads and binds; whether that is refused with the message, or, with NULL, accepted. */
static bool bound(const char *text, const char *what)
{
  struct policy p;
  struct error e;
  CHECK(!read_text(&p, text, &e));
  bool accepted = !policy_bind(&p, &lib, &run, &e);
  bool right = what ? !accepted && strstr(e.text, what) : accepted;
  if (!right)
    printf("%s: %s\n", text, e.text ? e.text : "accepted");
  error_free(&e);
  policy_free(&p);
  return right;
}

static void test_actions(void)
{
  static struct slot slots[] = {{DATA + 0x20, SLOT_RELATIVE, NULL, NULL, DATA}};
  CHECK(bound("cache rethaw x\n", "file:1: cache: lib.so has no function that sets it at load"));
  run.has_hooks = true;
  CHECK(bound("cache rethaw x\n", NULL));
  run.has_hooks = false;
  CHECK(bound("cache transient x\n", NULL));
  CHECK(bound(".data+8:8 transient x\n", "a variable can be transient"));
  CHECK(bound("heap:make refuse x\n", NULL));
  CHECK(bound("heap:twin#3 refuse x\n", NULL)); /* good that there is none */
  CHECK(bound("heap:nobody refuse x\n", "nobody has 0 blocks"));
  CHECK(
      bound("counter keep x\ncounter zero y\n", "file:2: counter: line 1 is about some of these"));
  CHECK(bound("heap:make#2+8:8 keep x\nheap:make#* zero y\n", "is about some of these"));
  CHECK(bound("cache+0:8 keep x\ncache+8:8 zero y\n", NULL));
  lib.slots.at = slots;
  lib.slots.n = 1;
  CHECK(bound("cache+0:20 zero x\n", "ends within a pointer"));
  CHECK(bound("cache+20:12 transient x\n", "ends within a pointer"));
  CHECK(bound("cache+20:12 keep x\n", NULL));
  CHECK(bound("cache+16:8 zero x\n", NULL));
  lib.slots.n = 0;
}

static void test_used(void)
{
  struct policy p;
  struct error e;
  CHECK(!read_text(&p, "counter keep a\ncache keep b\nstate keep c\n", &e));
  p.lines.at[1].used = true;
  CHECK(policy_check_used(&p, &e) && e.status == REFUSED && strstr(e.text, "file:1: counter") &&
        strstr(e.text, "file:3: state") && !strstr(e.text, "cache"));
  error_free(&e);
  p.lines.at[0].used = p.lines.at[2].used = true;
  CHECK(!policy_check_used(&p, &e));
  policy_free(&p);
}

/* Every word has a name, and the name means that word. */
static void test_round_trip(void)
{
  for (size_t offset = 0; offset < SIZE; offset += 8) {
    char *what = report_what(&lib, &run, offset, 8);
    CHECK(means(what, offset, 8));
    free(what);
  }
}

static bool named(size_t address, const char *what, const char *place)
{
  char *w = report_what(&lib, &run, address - DATA, 8),
       *p = report_place(&lib, &run, address - DATA);
  bool right = strcmp(w, what) == 0 && strcmp(p, place) == 0;
  if (!right)
    printf("%s, %s instead of %s, %s\n", w, p, what, place);
  free(w);
  free(p);
  return right;
}

static void test_names(void)
{
  CHECK(named(DATA + 0x20, "cache+16:8", "cache+16 (.data)"));
  CHECK(named(BSS + 0x48, "state#2+8:8", "state+8 (.bss)"));
  CHECK(named(DATA + 0x300, ".data+768:8", ".data+768"));
  CHECK(named(HEAP + 0x98, "heap:make#2+8:8", "allocation 4 (40 bytes, by make+0x20) +8"));
  CHECK(named(HEAP + 0x110, "heap:twin#2+0:8", "allocation 6 (48 bytes, by twin+0x50) +0"));
  CHECK(named(HEAP + 0x158, "heap:0x2222#1+8:8", "allocation 7 (48 bytes, by 0x2222) +8"));
  CHECK(named(HEAP + 0x198, ".urf.heap+408:8", "block of 48 bytes +8"));
  CHECK(named(HEAP + 0x1d8, ".urf.heap+472:8", "allocation 8 (48 bytes, by another module) +8"));
}

/* What is suggested, made a policy, covers what was found. */
static void test_suggest(void)
{
  static const struct finding found[] = {
      {8, 4, FIND_VARIES, ""},
      {0x10, 8, FIND_VARIES, ""},
      {0x18, 8, FIND_VARIES, ""},
      {0x28, 8, FIND_HEAP, "[heap]"},
      {HEAP - DATA + 0x18, 4, FIND_VARIES, ""},
      {HEAP - DATA + 0x98, 8, FIND_VARIES, ""},
  };
  struct plan plan = {.size = SIZE};
  struct capture runs[2] = {run, run};
  char *text, *reasoned;
  size_t n;
  for (size_t i = 0; i < sizeof found / sizeof *found; i++)
    *PUSH(&plan.findings) = found[i];
  CHECK(!region_init(&runs[1].region, NULL, SIZE, native(8)));
  runs[0].region.own[HEAP - DATA + 0x1d] = 1; /* the upper half of a number */
  runs[1].region.own[HEAP - DATA + 0x1d] = 1;
  runs[1].region.own[8] = runs[1].region.own[HEAP - DATA + 0x18] = 7;
  FILE *f = open_memstream(&text, &n);
  struct report r;
  report_init(&r, &lib, &plan, runs, 2, NULL);
  report_suggest(f, &r);
  fclose(f);
  CHECK(strstr(text, "\ncounter+0:4 keep REASON\n"));
  CHECK(strstr(text, "\ncache+0:16 keep REASON\n"));
  CHECK(strstr(text, "\ncache+24:8 zero REASON\n"));
  CHECK(strstr(text, "\nheap:make#1+8:8 keep REASON\n"));
  CHECK(strstr(text, "\nheap:make#2+8:8 keep REASON\n"));
  CHECK(refused(text, "REASON"));
  free(text);

  f = open_memstream(&reasoned, &n);
  report_findings(f, &r, true);
  report_free(&r);
  fclose(f);
  CHECK(strstr(reasoned, "counter+0 (.data): 0x00000000 0x00000007\n"));
  CHECK(strstr(reasoned, "cache+24 (.data)") && strstr(reasoned, "in [heap]"));
  CHECK(strstr(reasoned, "memory allocated by make+0x10"));
  CHECK(strstr(reasoned, "allocation 4 (40 bytes, by make+0x20) +8"));
  free(reasoned);
  region_free(&runs[1].region);
  free(plan.findings.at);
}

int main(void)
{
  char template[] = "policy-XXXXXX", *tmp = getenv("WORK");
  if ((tmp && chdir(tmp)) || !(directory = mkdtemp(template)))
    return 1;
  start();
  test_grammar();
  test_symbols();
  test_blocks();
  test_all_blocks();
  test_actions();
  test_used();
  test_round_trip();
  test_names();
  test_suggest();
  rmdir(directory);
  region_free(&run.region);
  return failed;
}
