// Zero-initialised data: small, large, sparse and common.
// cflags: -fcommon
#include "feature.h"

static char large[3 << 20];
static struct item {
  struct item *next;
  long value;
} items[1000], *first;
static int count, *counter;
int common_number;
char *common_pointer;

int urf_init(void)
{
  for (int i = 0; i < 1000; i += 7) {
    items[i].next = first;
    items[i].value = i;
    first = &items[i];
    count++;
  }
  counter = &count;
  large[100] = 1;
  large[sizeof large - 1] = 2;
  common_pointer = &large[1 << 20];
  strcpy(common_pointer, "in the middle");
  common_number = 42;
  return 0;
}

void answer(FILE *out)
{
  long sum = 0, seen = 0, set = 0;
  for (struct item *i = first; i; i = i->next, seen++)
    sum += i->value;
  for (size_t i = 0; i < sizeof large; i++)
    set += large[i] != 0;
  fprintf(out, "%ld %ld %d %ld %s %d\n", sum, seen, *counter, set, common_pointer, common_number);
}

void mutate(FILE *out)
{
  first = first->next;
  --*counter;
  memset(large, 1, 2 << 20);
  fprintf(out, "%d\n", count);
}
