// What counts as the time itself, and as the id of a process itself.
// with: capture/causes.c capture/diff.c capture/util.c

#include <stdlib.h>
#include <string.h>

#include "work.h"

static int failed;
#define CHECK(x) ((x) ? (void)0 : (failed = 1, (void)printf("%s:%d: %s\n", __FILE__, __LINE__, #x)))
#define SECOND ((uint64_t)1000000000)

/* What causes.c needs besides, and the tests do not. */

void freeze_cleanup(void) {}
void progress(struct work *w, const char *what, size_t i, size_t n)
{
  (void)w, (void)what, (void)i, (void)n;
}
int capture_take(struct capture *c, const struct options *o, const struct library *lib,
                 const char *path, const struct setting *s, const struct region *first, bool init,
                 struct module_cache *cache, struct error *e)
{
  (void)c, (void)o, (void)lib, (void)path, (void)s, (void)first, (void)init, (void)cache;
  return fail(e, SYSTEM, "not here");
}
void capture_ahead(struct capture *c, const struct options *o, const struct library *lib,
                   const char *path, const struct setting *s, bool init)
{
  (void)c, (void)o, (void)lib, (void)path, (void)s, (void)init;
}
size_t at_once(const struct work *w, unsigned held)
{
  (void)w, (void)held;
  return 0;
}
void capture_free(struct capture *c)
{
  (void)c;
}
unsigned process_asked(const struct process *p)
{
  (void)p;
  return 0;
}
int process_id(const struct process *p)
{
  (void)p;
  return 0;
}
int trace_parent(unsigned seed)
{
  return (int)seed;
}
void plan_sort(struct plan *plan)
{
  (void)plan;
}

static bool counts(uint64_t from, uint64_t to, size_t size, uint64_t passed)
{
  return goes_with_clock((unsigned char *)&from, (unsigned char *)&to, size, passed, native(8));
}

static bool counts_double(double from, double to, uint64_t passed)
{
  return goes_with_clock((unsigned char *)&from, (unsigned char *)&to, sizeof from, passed,
                         native(8));
}

static bool counts_text(const char *from, const char *to, uint64_t passed)
{
  return goes_with_clock((const unsigned char *)from, (const unsigned char *)to, strlen(from),
                         passed, native(8));
}

static void test_numbers(void)
{
  const uint64_t now = 1795656610;
  CHECK(counts(now, now, 8, SECOND));
  CHECK(counts(now, now + 1, 8, SECOND) && counts(now, now + 1, 4, SECOND));
  CHECK(counts(now * 1000, now * 1000 + 60000, 8, 60 * SECOND));
  CHECK(counts(now * SECOND, (now + 3600) * SECOND, 8, 3600 * SECOND));
  CHECK(counts(now / 3600, now / 3600 + 1, 4, 3600 * SECOND));
  CHECK(counts(0xfffffffe, 0x3a, 4, 60 * SECOND)); /* it has begun again */
  CHECK(!counts(now, now + 2, 8, SECOND));
  CHECK(!counts(now, now - 1, 8, SECOND));
  CHECK(!counts(now * 3, (now + 1) * 3, 8, SECOND));
  CHECK(!counts(now ^ 0x5a5a5a5a, (now + 60) ^ 0x5a5a5a5a, 8, 60 * SECOND));
  CHECK(!counts(200, 201, 1, SECOND) &&
        !counts(200, 201, 2, SECOND));                          /* small ones may be anything */
  CHECK(counts(now << 32 | 7, (now + 1) << 32 | 7, 8, SECOND)); /* two numbers side by side */
  CHECK(counts(now << 32 | now, (now + 1) << 32 | (now + 1), 8, SECOND));
  CHECK(!counts(now << 32 | now, (now + 1) << 32 | (now * 5), 8, SECOND));
  CHECK(counts_double(1e9 + .5, 1e9 + 60.5, 60 * SECOND));
  CHECK(counts_double(2460000.25, 2460000.25 + 1. / 24, 3600 * SECOND));
  CHECK(!counts_double(1e9 + .5, 1e9 + 63.5, 60 * SECOND));
  CHECK(!counts_double(0.25, 0.75, 60 * SECOND));
}

static void test_texts(void)
{
  CHECK(counts_text("10:10:10", "10:10:11", SECOND));
  CHECK(counts_text("2026-11-26 10:10", "2026-11-26 10:11", 60 * SECOND));
  CHECK(!counts_text("10:10:10", "10:10:12", SECOND));
  CHECK(!counts_text("10:10:10", "10:11:11", SECOND)); /* two digits */
  CHECK(!counts_text("10:10:1a", "10:10:1b", SECOND));
  CHECK(!counts_text("10:10:19", "10:10:1:", SECOND)); /* what follows 9 in ASCII */
  CHECK(!counts_text("deadbeefdeadbeef", "deadbeefdeadbee0", SECOND));
}

static void test_ids(void)
{
  unsigned char region[64] = "/run/x.4711.pid";
  const size_t size = sizeof region, at = 7;
  CHECK(is_number_at(region, size, at, 4, 4711, native(8)));
  CHECK(is_number_at(region, size, at + 1, 2, 4711, native(8))); /* what differs of it */
  CHECK(!is_number_at(region, size, at, 4, 471, native(8)));
  CHECK(!is_number_at(region, size, at, 4, 11, native(8)));
  CHECK(!is_number_at(region, size, at, 4, 0, native(8)));
  CHECK(!is_number_at(region, size, 0, 4, 4711, native(8)));
  memset(region, '7', sizeof region); /* to the end of the region */
  CHECK(!is_number_at(region, size, 56, 8, 77777777, native(8)));
  memset(region, 0, sizeof region);
  region[16] = 0x67, region[17] = 0x12;
  CHECK(is_number_at(region, size, 16, 4, 0x1267, native(8)) &&
        is_number_at(region, size, 16, 8, 0x1267, native(8)));
  CHECK(!is_number_at(region, size, 16, 4, 0x1268, native(8)));
  CHECK(!is_number_at(region, size, 16, 2, 0x1267, native(8)));
  region[20] = 1;
  CHECK(is_number_at(region, size, 16, 4, 0x1267, native(8)) &&
        !is_number_at(region, size, 16, 8, 0x1267, native(8)));
}

int main(void)
{
  test_numbers();
  test_texts();
  test_ids();
  return failed;
}
