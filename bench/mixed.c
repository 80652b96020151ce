/* What programs do that build a state: records that point to each other, strings that they own, and twice as
 * much that is gone when init is done. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int urf_init(void);

enum { RECORDS = 200000, BUCKETS = 1 << 16 };

struct record {
  struct record *next, *other;
  char *text;
  uint64_t number;
};

static struct record *table[BUCKETS];

static char *make_text(size_t length)
{
  char *text = malloc(length + 1);

  if (!text)
    abort();
  memset(text, 'a' + (int)(length % 26), length);
  text[length] = 0;
  return text;
}

int urf_init(void)
{
  struct record *last = NULL;

  for (uint64_t i = 0; i < RECORDS; i++) {
    const uint64_t hash = i * 0x9e3779b97f4a7c15u;
    char *early = make_text(32 + hash % 64), *late;
    struct record *r = malloc(sizeof *r);

    if (!r)
      return 1;
    r->text = make_text(16 + (hash >> 32) % 100);
    late = make_text(48);
    *r = (struct record){table[hash >> 48], last, r->text, i};
    table[hash >> 48] = last = r;
    free(early);
    free(late);
  }
  return 0;
}
