// Pointers to the library's own functions: static, exported, in tables, on the heap.
#include "feature.h"

typedef int operation(int, int);

static int add(int a, int b)
{
  return a + b;
}
static int sub(int a, int b)
{
  return a - b;
}
int exported_mul(int a, int b)
{
  return a * b;
}
__attribute__((visibility("hidden"))) int hidden_mod(int a, int b)
{
  return a % b;
}

static struct {
  const char *name;
  operation *call;
} fixed[] = {{"add", add}, {"sub", sub}, {"mul", exported_mul}, {"mod", hidden_mod}};
static operation *chosen = sub, *at_init[4];
static struct entry {
  struct entry *next;
  operation *call;
} * entries;

int urf_init(void)
{
  operation *all[] = {add, sub, exported_mul, hidden_mod};
  for (int i = 0; i < 4; i++) {
    struct entry *e = malloc(sizeof *e);
    *e = (struct entry){entries, at_init[i] = all[i]};
    entries = e;
  }
  chosen = exported_mul;
  return 0;
}

void answer(FILE *out)
{
  for (int i = 0; i < 4; i++)
    fprintf(out, "%s %d %d ", fixed[i].name, fixed[i].call(17, 5), at_init[i](19, 4));
  for (struct entry *e = entries; e; e = e->next)
    fprintf(out, "%d ", e->call(100, 7));
  fprintf(out, "%d %d\n", chosen(3, 4), chosen == exported_mul);
}

void mutate(FILE *out)
{
  entries->call = add;
  fixed[1].call = chosen;
  fprintf(out, "%d\n", entries->call(1, 1));
}
