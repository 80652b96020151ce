/* A program that asks for urf_copy has pages full of pointers copied to fresh memory, which is no file's. */
// linked with: -Wl,-u,urf_copy
#include "common.h"

enum { N = 1 << 19 };
struct node {
  struct node *next;
  uintptr_t n;
};
static struct node *first;

int boot(void)
{
  first = calloc(N, sizeof *first);
  for (uintptr_t i = 0; first && i < N; i++) {
    first[i].next = &first[(i * 5 + 3) % N];
    first[i].n = i;
  }
  return !first;
}

/* Whether the line of /proc/self/maps about it ends with a file's name; -1 when there is no such line. */
static int is_in_file(const void *p)
{
  char line[4096];
  unsigned long long from, to, at = (uintptr_t)p;
  int named = -1;
  FILE *f = fopen("/proc/self/maps", "r");
  while (f && named < 0 && fgets(line, sizeof line, f))
    if (sscanf(line, "%llx-%llx", &from, &to) == 2 && at >= from && at < to)
      named = strchr(line, '/') != NULL;
  if (f)
    fclose(f);
  return named;
}

int use(void)
{
  const int is_fixed = (uintptr_t)boot < 0x10000000;
  uintptr_t sum = 0;
  const struct node *p = first;
  for (int i = 0; i < N; i++, p = p->next)
    sum = sum * 31 + p->n;
  printf("%d %d\n", (int)(sum % 1000003), p == first);
  CHECK(!FROZEN || is_in_file(&first[N / 2]) == is_fixed);
  return 0;
}
