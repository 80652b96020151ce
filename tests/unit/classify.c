// diff, classify, place and prove, on regions made by hand.
// with: capture/diff.c capture/classify.c capture/apply.c capture/import.c capture/own.c capture/finding.c
// with: capture/dead.c
// with: capture/stretches.c capture/place.c capture/prove.c capture/util.c

#include <stdlib.h>
#include <string.h>

#include "turf.h"

enum { RUNS = 3, SIZE = 3 * REGION_PAGE + 16, DATA = 0x203000 };

static int failed;
#define CHECK(x) ((x) ? (void)0 : (failed = 1, (void)printf("%s:%d: %s\n", __FILE__, __LINE__, #x)))

static struct form form = {8, false}; /* then the other order */
static struct library lib;
static struct capture run[RUNS];
static struct plan plan;
static struct exports libc;

/* Differ from one another in every byte from the second to the sixth. */
static const uint64_t bias[RUNS] = {0x134567891000, 0x2a9bcdef4000, 0x4f1203458000};
static const uint64_t other[RUNS] = {0x21436587c000, 0x1badcafe2000, 0x5566778a5000};
static const uint64_t stack[RUNS] = {0x7ffe12345000, 0x7ffc98765000, 0x7ffd55555000};

void freeze_cleanup(void) {}

uint64_t library_slot(const struct library *l, const char *name, const char *version)
{
  (void)l, (void)name, (void)version;
  return 0;
}

bool library_needs(const struct library *l, const char *name, const char *version)
{
  (void)l, (void)version;
  return strcmp(name, "wanted") == 0;
}

uint64_t capture_resolve(struct capture *c, const char *name, const char *version, uint64_t slot,
                         bool held)
{
  uint64_t m = other[c->bias == bias[0] ? 0 : c->bias == bias[1] ? 1 : 2];
  (void)version, (void)slot;
  if (held)
    return strcmp(name, "stream") == 0 ? m + 0x5010 : 0;
  return strcmp(name, "exported") == 0 || strcmp(name, "alias") == 0 ? m + 0x1100
         : strcmp(name, "object") == 0                               ? m + 0x5800
         : strcmp(name, "stream") == 0                               ? m + 0x5020
         : strcmp(name, "chosen") == 0                               ? m + 0x1230
                                                                     : 0;
}

static void add_export(const char *name, uint64_t value, uint64_t size, int kind)
{
  *PUSH(&libc.list) = (struct export){(char *)name, (char *)"V1", value, size, true, kind};
}

static void end(int r)
{
  region_free(&run[r].region);
  free(run[r].modules.at);
  free(run[r].mappings.at);
  free(run[r].made.at);
}

static void start(void)
{
  plan_free(&plan);
  static const struct machine machine;
  lib = (struct library){
      .form = form, .machine = &machine, .hi = DATA + 0x10000, .note = {.data = DATA}};
  plan = (struct plan){.size = SIZE};
  libc.list.n = 0;
  add_export("alias", 0x1100, 10, EXPORT_FUNCTION);
  add_export("chosen", 0x1200, 10, EXPORT_IFUNC);
  add_export("exported", 0x1100, 10, EXPORT_FUNCTION);
  add_export("object", 0x5800, 64, EXPORT_OBJECT);
  static struct need needs[] = {{(char *)"stream", (char *)"", 0}};
  lib.needs.at = needs;
  lib.needs.n = 1;
  for (int r = 0; r < RUNS; r++) {
    end(r);
    run[r] =
        (struct capture){.lib = &lib, .bias = bias[r], .frame = stack[r] + 0x800, .size = SIZE};
    CHECK(!region_init(&run[r].region, NULL, SIZE, form));
    *PUSH(&run[r].modules) =
        (struct module){(char *)"/lib/libc.so", other[r], other[r], other[r] + 0x6000, &libc};
    *PUSH(&run[r].mappings) = (struct mapping){other[r], other[r] + 0x6000, "libc.so", 5};
    *PUSH(&run[r].mappings) = (struct mapping){stack[r], stack[r] + 0x1000, "[stack]", 3, 0};
    *PUSH(&run[r].mappings) = (struct mapping){other[r] + 0x100000, other[r] + 0x200000, "", 3, 0};
  }
}

static void set(int r, size_t offset, uint64_t value)
{
  put_word(run[r].region.own + offset, form, value);
}

static void set_all(size_t offset, const uint64_t *base, uint64_t addend)
{
  for (int r = 0; r < RUNS; r++)
    set(r, offset, base[r] + addend);
}

static bool same_sites(const struct site *a, const struct site *b)
{
  return a->offset == b->offset && a->size == b->size && a->kind == b->kind &&
         a->by_ldso == b->by_ldso && a->value == b->value && a->import == b->import &&
         a->rotated == b->rotated && a->dead == b->dead;
}

static void check_same(const struct plan *a, const struct plan *b)
{
  CHECK(memcmp(a->image, b->image, SIZE) == 0);
  CHECK(memcmp(a->pointers.at, b->pointers.at, (SIZE + 511) / 512 * 8) == 0);
  CHECK(a->sites.n == b->sites.n && a->findings.n == b->findings.n);
  CHECK(a->imports.n == b->imports.n);
  for (size_t i = 0; i < a->sites.n && i < b->sites.n; i++)
    CHECK(same_sites(&a->sites.at[i], &b->sites.at[i]));
  for (size_t i = 0; i < a->findings.n && i < b->findings.n; i++)
    CHECK(a->findings.at[i].offset == b->findings.at[i].offset &&
          a->findings.at[i].size == b->findings.at[i].size &&
          a->findings.at[i].cause == b->findings.at[i].cause);
}

/* The region has the bytes of the other one, whatever way they are asked for. */
static void check_bytes(const struct region *g, const unsigned char *bytes)
{
  unsigned char room[REGION_PAGE], all[SIZE];
  bool same = true;
  for (size_t at = 0; at < SIZE; at += REGION_PAGE) {
    const size_t n = SIZE - at < REGION_PAGE ? SIZE - at : REGION_PAGE;
    same &= memcmp(region_page(g, at, room), bytes + at, n) == 0;
  }
  CHECK(same);
  for (size_t at = 0; at < SIZE; at++) {
    same &= region_byte(g, at) == bytes[at];
    same &= at + 8 > SIZE || region_word(g, at) == get_word(bytes + at, form);
  }
  CHECK(same);
  region_read(g, 5, SIZE - 5, all);
  CHECK(memcmp(all, bytes + 5, SIZE - 5) == 0);
}

/* A run as it is kept for the proof, told apart from the image. */
static void put_apart(struct region *g, int r)
{
  CHECK(!region_init(g, &plan.whole, SIZE, form));
  region_moved(g, lib.lo, lib.hi - lib.lo, bias[r]);
  region_put(g, 0, run[r].region.own, SIZE);
}

/* The runs as they are, and as a freeze has them, where all but the first are what differs from it: nothing may
 * come of that. */
static void go(struct policy *policy)
{
  struct capture coded[RUNS];
  struct plan also = {.size = SIZE};
  memcpy(coded, run, sizeof coded);
  for (int r = 1; r < RUNS; r++) {
    CHECK(!region_init(&coded[r].region, &run[0].region, SIZE, form));
    region_moved(&coded[r].region, bias[0] + lib.lo, lib.hi - lib.lo, bias[r] - bias[0]);
    region_put(&coded[r].region, 0, run[r].region.own, 2 * REGION_PAGE);
    region_put(&coded[r].region, 2 * REGION_PAGE, run[r].region.own + 2 * REGION_PAGE,
               SIZE - 2 * REGION_PAGE);
    check_bytes(&coded[r].region, run[r].region.own);
  }
  classify(&plan, &lib, run, RUNS, policy);
  classify(&also, &lib, coded, RUNS, policy);
  check_same(&plan, &also);
  for (int r = 0; r < RUNS; r++) {
    struct region apart;
    put_apart(&apart, r);
    check_bytes(&apart, run[r].region.own);
    region_free(&apart);
  }
  for (int r = 1; r < RUNS; r++)
    region_free(&coded[r].region);
  plan_free(&also);
}

static size_t count_pointers(void)
{
  size_t n = 0;
  for (size_t i = bitmap_next(&plan.pointers, 0); i < plan.pointers.n;
       i = bitmap_next(&plan.pointers, i + 1))
    n++;
  return n;
}

static const struct site *site_at(size_t offset)
{
  for (size_t i = 0; i < plan.sites.n; i++)
    if (plan.sites.at[i].offset == offset)
      return &plan.sites.at[i];
  return NULL;
}

static bool is_pointer(size_t offset, uint64_t target)
{
  const struct site *s = site_at(offset);
  return (offset % 8 ? s && s->kind == SITE_POINTER && s->value == target
                     : !s && bitmap_get(&plan.pointers, offset / 8)) &&
         get_word(plan.image + offset, form) == target;
}

static bool is_import(size_t offset, const char *name, enum urf_import_kind kind, int64_t addend)
{
  const struct site *s = site_at(offset);
  if (!s || s->kind != SITE_IMPORT || get_word(plan.image + offset, form))
    return false;
  const struct import *m = &plan.imports.at[s->import];
  return strcmp(m->name, name) == 0 && m->kind == kind && m->addend == addend;
}

static bool is_finding(size_t offset, enum cause cause)
{
  for (size_t i = 0; i < plan.findings.n; i++)
    if (plan.findings.at[i].offset == offset)
      return plan.findings.at[i].cause == cause;
  return false;
}

/* At bias 0 a number may lead into the image, too; a proof keeps no page on that account. */
static void test_numbers(void)
{
  struct region apart;
  start();
  for (size_t at = 0; at < REGION_PAGE; at += 8)
    if (at % 16)
      set_all(at, bias, lib.lo + at);
    else
      for (int r = 0; r < RUNS; r++)
        set(r, at, lib.lo + at);
  go(NULL);
  CHECK(count_pointers() == REGION_PAGE / 16 && plan.sites.n == 0 && plan.findings.n == 0);
  put_apart(&apart, 1);
  CHECK(region_kind(&apart, 0) == PAGE_MOVED);
  region_free(&apart);
}

static void test_diff(void)
{
  start();
  go(NULL);
  CHECK(count_pointers() == 0 && plan.sites.n == 0 && plan.findings.n == 0);
  start();
  run[2].region.own[SIZE - 1] = 1;
  run[1].region.own[10] = run[1].region.own[11] = run[2].region.own[12] = 1;
  go(NULL);
  CHECK(plan.sites.n == 0 && plan.findings.n == 2);
  CHECK(plan.findings.at[0].offset == 8 && plan.findings.at[0].size == 8);
  CHECK(plan.findings.at[1].offset == SIZE - 4 && plan.findings.at[1].size == 4);
}

/* A page of pointers, but for what crosses its ends, stands next to it, or is odd in it. */
static void test_pages(void)
{
  const size_t page = REGION_PAGE;
  for (int odd = 0; odd < 10; odd++) {
    start();
    for (size_t at = page; at < 2 * page; at += 8)
      set_all(at, bias, DATA + at);
    switch (odd) {
    case 1: set_all(page - 4, bias, DATA), set_all(2 * page - 8, bias, 0x1000000); break;
    case 2: set_all(2 * page - 4, bias, DATA); break;
    case 3: run[2].region.own[2 * page - 1] ^= 1; break;
    case 4: set(1, page, 0); break;
    case 5: set_all(page + 8, other, 0x1100); break;
    case 6: set_all(page - 8, bias, (uint64_t)7 << 60 | DATA); break;
    case 7:
      for (size_t at = page; at < 2 * page; at += 16)
        set_all(at, other, 0x1100);
      break;
    case 8: /* in run 0 a number looks like a pointer */
      for (int r = 0; r < RUNS; r++)
        set(r, page + 64, bias[0] + DATA);
      break;
    case 9: set_all(page + 16, bias, (uint64_t)1 << 56 | DATA); break;
    }
    go(NULL);
    const size_t n = count_pointers();
    CHECK(n == (odd == 1   ? 510
                : odd == 2 ? 511
                : odd == 3 ? 511
                : odd == 4 ? 511
                : odd == 5 ? 511
                : odd == 6 ? 513
                : odd == 7 ? 256
                : odd == 8 ? 511
                           : 512));
    CHECK(plan.findings.n == (odd == 1 ? plan.findings.n : odd >= 2 && odd <= 4));
  }
}

static void test_pointers(void)
{
  start();
  set_all(16, bias, DATA + 0x10);
  set_all(24, bias, DATA + 0x21);
  set_all(33, bias, DATA + 0x20);
  set_all(41, bias, DATA + 0x10000);
  set_all(64, bias, ((uint64_t)0xbeef << 48) + DATA);
  set_all(SIZE - 8, bias, DATA);
  for (int r = 0; r < RUNS; r++) /* a byte that is the same in all runs on both sides */
    run[r].region.own[32] = run[r].region.own[49] = 0xff;
  go(NULL);
  CHECK(plan.findings.n == 0 && plan.sites.n == 2 && count_pointers() == 4);
  CHECK(is_pointer(16, DATA + 0x10));
  CHECK(is_pointer(24, DATA + 0x21));
  CHECK(is_pointer(33, DATA + 0x20));
  CHECK(is_pointer(41, DATA + 0x10000));
  CHECK(is_pointer(64, ((uint64_t)0xbeef << 48) + DATA));
  CHECK(is_pointer(SIZE - 8, DATA));
  CHECK(plan.image[32] == 0xff && plan.image[49] == 0xff);
}

static void set_rotated(size_t offset, uint64_t addend, unsigned by)
{
  for (int r = 0; r < RUNS; r++)
    set(r, offset, rotate_left(bias[r] + addend, 8, 64 - by));
}

/* Whether the pointers of the plan, relocated, make the region of that run. */
static bool thaws_to(int r)
{
  unsigned char *image = xalloc(SIZE);
  memcpy(image, plan.image, SIZE);
  for (size_t i = 0; i < SIZE / 8; i++)
    if (bitmap_get(&plan.pointers, i))
      put_word(image + 8 * i, form, get_word(image + 8 * i, form) + bias[r]);
  for (size_t i = 0; i < plan.sites.n; i++) {
    const struct site *s = &plan.sites.at[i];
    uint64_t pointer = rotate_left(get_word(image + s->offset, form), 8, s->rotated) + bias[r];
    put_word(image + s->offset, form, rotate_left(pointer, 8, (64 - s->rotated) % 64));
  }
  bool same = memcmp(image, run[r].region.own, SIZE) == 0;
  free(image);
  return same;
}

static void test_rotated(void)
{
  size_t bad[1];
  start();
  for (unsigned by = 1; by < 64; by++)
    set_rotated(16 * by, DATA + by, by);
  set_all(1200, bias, DATA), set_all(1211, bias, DATA);
  go(NULL);
  CHECK(plan.sites.n == 64 && count_pointers() == 1 && plan.findings.n == 0);
  for (int r = 0; r < RUNS; r++)
    CHECK(thaws_to(r) && prove(&plan, &run[r], false, bad, 1) == 0);
  CHECK(site_at(16 * 4)->rotated == 4 && site_at(16 * 4)->value == DATA + 4);
  run[1].region.own[16 * 4 + 4] ^= 1;
  CHECK(prove(&plan, &run[1], false, bad, 1) == 1 && bad[0] == 16 * 4);
  start();
  set_rotated(16, DATA + 0x10001, 4); /* out of the image */
  set_rotated(32 + 3, DATA, 4);       /* at no place for a number */
  for (int r = 0; r < RUNS; r++)
    set(r, 64, (bias[r] + DATA) >> 4 & ~(uint64_t)0xffff); /* without some of the bits */
  go(NULL);
  CHECK(plan.sites.n == 0 && plan.findings.n >= 3);
}

/* What varies next to a pointer at an odd address, on the side of its lowest byte, has the bytes up to that. */
static void test_before_odd(void)
{
  const size_t byte = form.swapped ? 31 : 16, odd = form.swapped ? 21 : 19;
  start();
  for (int r = 0; r < RUNS; r++)
    run[r].region.own[byte] = (unsigned char)r;
  set_all(odd, bias, DATA);
  go(NULL);
  CHECK(plan.findings.n == 1 && is_finding(form.swapped ? 29 : 16, FIND_VARIES) &&
        plan.findings.at[0].size == 3);
  CHECK(site_at(odd) && site_at(odd)->kind == SITE_POINTER);
}

static void test_not_pointers(void)
{
  start();
  set_all(16, bias, DATA + 0x10001); /* one byte behind the image */
  set_all(32, bias, (uint64_t)-1);   /* before it */
  for (int r = 0; r < RUNS; r++) {
    set(r, 48, bias[r] + DATA + (uint64_t)r);          /* another target each time */
    set(r, 64, (uint64_t)(r + 1) * 0x123456789abcdef); /* anything */
    set(r, 80, (uint64_t)r << 32 | 5);                 /* half of it */
    set(r, 96, -(bias[r] + DATA));
  }
  set(0, 112, bias[0] + DATA), set(1, 112, bias[1] + DATA); /* a pointer in two runs of three */
  go(NULL);
  CHECK(plan.sites.n == 0 && plan.findings.n == 7);
  CHECK(is_finding(16, FIND_BASE));
  CHECK(is_finding(32, FIND_BASE));
  CHECK(is_finding(48, FIND_MOVES));
  CHECK(is_finding(64, FIND_VARIES));
  CHECK(is_finding(form.swapped ? 80 : 84, FIND_VARIES));
  CHECK(is_finding(96, FIND_BASE));
  CHECK(is_finding(112, FIND_MOVES));
}

static void test_imports(void)
{
  start();
  set_all(8, other, 0x1100);
  set_all(19, other, 0x5810);
  set_all(32, other, 0x1230);
  set_all(40, other, 0x5010);
  set_all(48, other, 0x5020);
  set_all(56, other, 0x1104);   /* into a function */
  set_all(64, other, 0x3000);   /* at no symbol */
  set_all(72, other, 0x100010); /* a block of another allocator */
  go(NULL);
  CHECK(is_import(8, "alias", URF_IMPORT_MODULE, 0));
  CHECK(is_import(19, "object", URF_IMPORT_MODULE, 16));
  CHECK(is_import(32, "chosen", URF_IMPORT_MODULE, 0));
  CHECK(is_import(40, "stream", URF_IMPORT_VALUE, 0));
  CHECK(is_import(48, "stream", URF_IMPORT_SYMBOL, 0));
  CHECK(plan.findings.n == 3);
  CHECK(is_finding(56, FIND_MODULE));
  CHECK(is_finding(64, FIND_MODULE));
  CHECK(is_finding(72, FIND_HEAP));
}

/* By a build-id, when there is one: tags stay. */
static void test_offsets(void)
{
  size_t bad[1];
  start();
  strcpy(libc.build_id, "abcd");
  set_all(8, other, 0x1104);
  set_all(19, other, 0x3000);
  set_all(32, other, (uint64_t)0x77 << 56 | 0x3008);
  set_all(72, other, 0x100010); /* a block of another allocator */
  go(NULL);
  CHECK(is_import(8, "", URF_IMPORT_OFFSET, 0x1104));
  CHECK(is_import(19, "", URF_IMPORT_OFFSET, 0x3000));
  CHECK(is_import(32, "", URF_IMPORT_OFFSET, (int64_t)0x77 << 56 | 0x3008));
  CHECK(strcmp(plan.imports.at[0].version, "abcd") == 0);
  CHECK(plan.findings.n == 1 && is_finding(72, FIND_HEAP));
  CHECK(prove(&plan, &run[1], false, bad, 1) == 1 && bad[0] == 72);
  strcpy(libc.build_id, "dcba"); /* and nowhere else */
  CHECK(prove(&plan, &run[1], false, bad, 1) == 4);
  *libc.build_id = 0;
}

static void test_thread(void)
{
  static const uint64_t thread[RUNS] = {0x1a2b3c4d5740, 0x2b3c4d5e6740, 0x3c4d5e6f7740};
  size_t bad[1];
  start();
  for (int r = 0; r < RUNS; r++)
    run[r].thread = thread[r];
  set_all(8, thread, 0);
  set_all(19, thread, 0);
  set_all(32, thread, 8); /* something inside of it */
  go(NULL);
  CHECK(is_import(8, "", URF_IMPORT_THREAD, 0) && is_import(19, "", URF_IMPORT_THREAD, 0));
  CHECK(plan.findings.n == 1 && plan.findings.at[0].offset == 32);
  CHECK(prove(&plan, &run[1], false, bad, 1) == 1 && bad[0] == 32);
}

static void test_stack(void)
{
  start();
  set_all(8, stack, 0x400);
  set_all(16, stack, 0x900);
  go(NULL);
  const struct site *s = site_at(8);
  CHECK(s && s->kind == SITE_DEAD && get_word(plan.image + 8, form) == URF_DEAD);
  CHECK(plan.findings.n == 1 && is_finding(16, FIND_STACK));
}

static void test_gone(void)
{
  static const uint64_t gone[RUNS] = {0x2112233440000, 0x2556677880000, 0x299aabbcc0000};
  static const uint64_t thread[RUNS] = {0x3112233440000, 0x3556677880000, 0x399aabbcc0000};
  start();
  for (int r = 0; r < RUNS; r++) {
    *PUSH(&run[r].made) = (struct made){.lo = gone[r], .size = 0x2000};
    *PUSH(&run[r].made) = (struct made){thread[r], 0x2000, true, true};
    *PUSH(&run[r].made) = (struct made){thread[r] + 0x10000, 0x2000, true, false};
    *PUSH(&run[r].made) = (struct made){thread[r] + 0x20000, 0x2000, false, true};
    *PUSH(&run[r].made) =
        (struct made){other[r] + 0x100000, 0x1000, false, false}; /* still there */
    *PUSH(&run[r].mappings) = (struct mapping){thread[r], thread[r] + 0x30000, "", 3, 0};
    set(r, 64, gone[r] + 8 * (unsigned)r); /* another place in each run */
    set(r, 80, thread[r] + 8 * (unsigned)r);
  }
  set_all(8, gone, 0x10);
  set_all(19, gone, 0x1fff);
  set_all(32, gone, 0x2000); /* behind it */
  set_all(40, other, 0x100010);
  set_all(48, thread, 0x10010);
  set_all(56, thread, 0x20010);
  go(NULL);
  const struct site *a = site_at(8), *b = site_at(19), *c = site_at(80);
  CHECK(a && a->kind == SITE_DEAD && a->dead == DEAD_MAPPING);
  CHECK(b && b->kind == SITE_DEAD && get_word(plan.image + 19, form) == URF_DEAD);
  CHECK(c && c->kind == SITE_DEAD && c->dead == DEAD_STACK);
  CHECK(plan.sites.n == 3 && plan.findings.n == 5);
  CHECK(is_finding(40, FIND_HEAP) && is_finding(48, FIND_HEAP) && is_finding(64, FIND_VARIES));
  start();
  for (int r = 0; r < RUNS; r++) {
    *PUSH(&run[r].made) = (struct made){.lo = gone[r], .size = 0x2000};
    if (r == 2) /* in one run something else is there now */
      *PUSH(&run[r].mappings) = (struct mapping){gone[r], gone[r] + 0x1000, "", 3, 0};
  }
  set_all(8, gone, 0x10);
  go(NULL);
  CHECK(plan.sites.n == 0 && plan.findings.n == 1);
}

static void test_policy(void)
{
  struct range ranges[] = {{16, 8}, {32, 20}, {64, 8}, {80, 4}};
  struct policy_line lines[] = {
      {.action = ACT_KEEP, .ranges = {&ranges[0], 1, 0}},
      {.action = ACT_ZERO, .ranges = {&ranges[1], 1, 0}},
      {.action = ACT_KEEP, .ranges = {&ranges[2], 1, 0}},
      {.action = ACT_KEEP, .ranges = {&ranges[3], 1, 0}},
  };
  struct policy policy = {.path = NULL};
  policy.lines.at = lines;
  policy.lines.n = 4;
  start();
  for (int r = 0; r < RUNS; r++) {
    set(r, 16, (uint64_t)(r + 1) * 0x123456789abcdef);
    set(r, 64, bias[r] + DATA + (uint64_t)r * 8);
    set(r, 80, (uint64_t)(r + 1) * 0x123456789abcdef); /* only half of it is kept */
  }
  set_all(40, bias, DATA);
  go(&policy);
  CHECK(site_at(16) && site_at(16)->kind == SITE_KEEP);
  CHECK(get_word(plan.image + 16, form) == get_word(run[0].region.own + 16, form));
  CHECK(site_at(32) && site_at(32)->kind == SITE_ZERO && site_at(32)->size == 20);
  CHECK(!site_at(40) && !get_word(plan.image + 40, form));
  CHECK(is_pointer(64, DATA));
  CHECK(plan.findings.n == 1 && is_finding(80, FIND_VARIES));
  CHECK(lines[0].used && lines[1].used && lines[2].used && !lines[3].used);
}

static void test_slots(void)
{
  static struct slot slots[] = {
      {DATA + 8, SLOT_SYMBOL, (char *)"exported", (char *)"", 4},
      {DATA + 16, SLOT_SYMBOL, (char *)"exported", (char *)"", 0},
      {DATA + 24, SLOT_RELATIVE, NULL, NULL, DATA},
  };
  start();
  lib.slots.at = slots;
  lib.slots.n = 3;
  set_all(8, other, 0x1104);
  set_all(16, bias, DATA + 8); /* init has changed it */
  set_all(24, bias, DATA);
  go(NULL);
  CHECK(plan.findings.n == 0);
  CHECK(site_at(8) && site_at(8)->by_ldso && site_at(8)->kind == SITE_IMPORT);
  CHECK(is_pointer(16, DATA + 8));
  CHECK(is_pointer(24, DATA));
}

/* Every pattern of pointers comes back from the table as it was. */
static void test_table(void)
{
  uint32_t seed = 1;
  for (int round = 0; round < 200; round++) {
    struct table t;
    struct plan back;
    struct error e = {0};
    start();
    for (size_t at = 0; at + 8 <= SIZE;) {
      seed = seed * 1664525u + 1013904223u;
      if (seed >> 24 < (unsigned)round)
        set_all(at, bias, DATA + at);
      else if (seed >> 24 < (unsigned)round + 3)
        set_all(at, other, seed >> 16 & 1 ? 0x1100 : 0x5010);
      else if (seed >> 24 < (unsigned)round + 5 && at % 8 == 0)
        set_rotated(at, DATA + at, (seed >> 8) % 20 * 2 + 1);
      at += 8 + (round & 1 && (seed & 0x7000) == 0 ? 3 : 0) + (seed >> 13 & 1 ? 0 : (size_t)round);
    }
    go(NULL);
    CHECK(plan.findings.n == 0);
    place(&t, &lib, &plan);
    lib.note.relr = t.relr, lib.note.relr_size = t.relr_size;
    lib.note.odd = t.odd, lib.note.odd_size = t.odd_size;
    lib.note.rotated = t.rotated, lib.note.rotated_size = t.rotated_size;
    lib.note.imports = t.imports, lib.note.n_imports = t.n_imports;
    lib.note.recipe = t.recipe, lib.note.recipe_size = t.recipe_size;
    lib.table = t.bytes.at;
    lib.region_size = SIZE;
    lib.data = xalloc(SIZE);
    memcpy(lib.data, plan.image, SIZE);
    lib.data_size = SIZE;
    CHECK(!place_read(&back, &lib, &e));
    CHECK(memcmp(back.pointers.at, plan.pointers.at, (SIZE + 511) / 512 * 8) == 0);
    CHECK(back.sites.n == plan.sites.n);
    for (size_t i = 0; i < plan.sites.n && i < back.sites.n; i++)
      CHECK(back.sites.at[i].offset == plan.sites.at[i].offset &&
            back.sites.at[i].kind == plan.sites.at[i].kind &&
            back.sites.at[i].value == plan.sites.at[i].value &&
            back.sites.at[i].rotated == plan.sites.at[i].rotated);
    plan_free(&back);
    free(t.bytes.at);
    error_free(&e);
  }
}

static void test_proof(void)
{
  size_t bad[4];
  start();
  set_all(16, bias, DATA + 0x10);
  set_all(24, other, 0x1100);
  set_all(32, stack, 0x400);
  go(NULL);
  for (int r = 0; r < RUNS; r++)
    CHECK(prove(&plan, &run[r], false, bad, 4) == 0);
  run[1].region.own[16] ^= 8; /* another target */
  CHECK(prove(&plan, &run[1], false, bad, 4) == 1 && bad[0] == 16);
  run[1].region.own[100] ^= 1; /* another byte */
  CHECK(prove(&plan, &run[1], false, bad, 4) == 2 && bad[1] == 96);
  run[2].region.own[24] ^= 1; /* another symbol */
  CHECK(prove(&plan, &run[2], false, bad, 4) == 1 && bad[0] == 24);
  /* a frozen library has the fixed address where the live one has a dead pointer */
  CHECK(prove(&plan, &run[0], true, bad, 4) == 1 && bad[0] == 32);
  set(0, 32, URF_DEAD);
  CHECK(prove(&plan, &run[0], true, bad, 4) == 0);
}

static void test_all(void)
{
  test_diff();
  test_numbers();
  test_pages();
  test_pointers();
  test_rotated();
  test_before_odd();
  test_not_pointers();
  test_imports();
  test_offsets();
  test_thread();
  test_stack();
  test_gone();
  test_policy();
  test_slots();
  test_table();
  test_proof();
}

static void map(int r, struct mapping m)
{
  *PUSH(&run[r].mappings) = m;
}

/* Where there are few places for the dynamic linker, each of its parts is sometimes where another one was. */
static void test_fixed_mappings(void)
{
  const uint64_t at = 0xf7fde000;
  start();
  for (int r = 0; r < RUNS; r++) {
    map(r, (struct mapping){.lo = at, .hi = at + 0x2000, .what = "ld.so", .offset = r * 0x1000});
    map(r, (struct mapping){.lo = 0x7f000000, .hi = 0x7f001000, .what = ""});
    map(r, (struct mapping){.lo = 0x8000 + r * 0x1000, .hi = 0x9000 + r * 0x1000, .what = "f"});
    map(r, (struct mapping){.lo = 0x7fff0000, .hi = 0x7fff1000, .what = "f", .offset = 0x3000});
  }
  const struct mapping *m = run[0].mappings.at + run[0].mappings.n - 4;
  CHECK(!mapping_is_fixed(run, RUNS, &m[0]) && mapping_is_fixed(run, RUNS, &m[1]));
  CHECK(!mapping_is_fixed(run, RUNS, &m[2]) && mapping_is_fixed(run, RUNS, &m[3]));
}

int main(void)
{
  test_all();
  form.swapped = true;
  test_all();
  test_fixed_mappings();
  start(); /* frees what the last test has left */
  plan_free(&plan);
  for (int r = 0; r < RUNS; r++)
    end(r);
  free(libc.list.at);
  return failed;
}
