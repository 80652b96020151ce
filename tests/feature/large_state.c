// Forty megabytes and half a million pointers.
// not: i386 addresses are chosen with few bits
// timeout: 300
#include "feature.h"

enum { NODES = 500000 };

static struct node {
  struct node *next;
  long value;
  char pad[64];
} * first;

int urf_init(void)
{
  for (long i = 0; i < NODES; i++) {
    struct node *n = malloc(sizeof *n);
    if (!n)
      return 1;
    n->next = first;
    n->value = i;
    memset(n->pad, (int)i, sizeof n->pad);
    first = n;
  }
  return 0;
}

void answer(FILE *out)
{
  long sum = 0, count = 0;
  for (struct node *n = first; n; n = n->next, count++)
    sum += n->value ^ n->pad[63];
  fprintf(out, "%ld %ld\n", count, sum);
}

void mutate(FILE *out)
{
  struct node **at = &first, *n;
  for (long i = 0; (n = *at); i++)
    if (i % 3 == 0)
      *at = n->next, free(n);
    else
      at = &n->next;
  fprintf(out, "%ld\n", first->value);
}
