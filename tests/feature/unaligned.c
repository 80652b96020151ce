// Pointers at addresses that no pointer type would have.
// machines: yes
#include "feature.h"

struct __attribute__((packed)) record {
  char kind;
  struct record *next;
  short length;
  const char *text;
};

static struct record records[9], *first;
static struct __attribute__((packed)) {
  char pad;
  struct record *to;
  int *number;
} fixed;
static int number = 77;
static struct __attribute__((packed)) {
  char pad[3];
  int *p;
} initialised = {"ab", &number};
static unsigned char *heap;

static void put(size_t at, void *p)
{
  memcpy(heap + at, &p, sizeof p);
}

static char *get(size_t at)
{
  char *p;
  memcpy(&p, heap + at, sizeof p);
  return p;
}

int urf_init(void)
{
  for (int i = 0; i < 9; i++) {
    records[i] = (struct record){(char)('a' + i), first, (short)i, i % 2 ? "odd" : "even"};
    first = &records[i];
  }
  fixed.pad = 1;
  fixed.to = &records[4];
  fixed.number = &number;
  /* every offset in a word, side by side, across a page and across pages of a large block */
  heap = aligned_alloc(4096, 5 * 4096);
  memset(heap, 0x55, 5 * 4096);
  for (size_t i = 0; i < 40; i++)
    put(i * 11, heap + i);
  for (size_t i = 0; i < 4; i++)
    put((i + 1) * 4096 - 1 - 2 * i, heap + 100 * i);
  for (size_t i = 0; i < 10; i++)
    put(1000 + 8 * i + 3, records + i % 9);
  return 0;
}

void answer(FILE *out)
{
  for (struct record *r = first; r; r = r->next)
    fprintf(out, "%c%d%s ", r->kind, r->length, r->text);
  fprintf(out, "%c %d %d\n", fixed.to->kind, *fixed.number, *initialised.p);
  for (size_t i = 0; i < 40; i++)
    CHECK(get(i * 11) == (char *)heap + i);
  for (size_t i = 0; i < 4; i++)
    CHECK(get((i + 1) * 4096 - 1 - 2 * i) == (char *)heap + 100 * i);
  for (size_t i = 0; i < 10; i++)
    CHECK(get(1000 + 8 * i + 3) == (char *)(records + i % 9));
  tell_wrong(out);
}

void mutate(FILE *out)
{
  first = first->next;
  fixed.to = first;
  fixed.number[0]++;
  fprintf(out, "%d\n", number);
}
