// Blocks of odd sizes with pointers next to numbers, and in their last bytes.
#include "feature.h"
static struct {
  void *p[3];
  uint32_t n;
} * row[40];
static char *edge;
static const char *const *names;
static const char *const list[] = {"a", "b", "c"};
int urf_init(void)
{
  uint32_t seed = 4;
  names = list;
  for (int i = 0; i < 40; i++) {
    size_t extra = (size_t)(i * 7 % 23);
    row[i] = malloc(sizeof *row[i] + extra);
    row[i]->p[0] = &row[(i * 3) % 40], row[i]->p[1] = (char *)row[i] + extra,
    row[i]->p[2] = (void *)(uintptr_t)draw(&seed);
    row[i]->n = draw(&seed);
    memset((char *)row[i] + sizeof *row[i], i, extra);
  }
  edge = malloc(3 * 4096 - 5); /* the last bytes of it are a pointer */
  memset(edge, 0x11, 3 * 4096 - 5);
  char *self = edge;
  memcpy(edge + 3 * 4096 - 5 - sizeof self, &self, sizeof self);
  return 0;
}
void answer(FILE *out)
{
  char *self;
  for (int i = 0; i < 40; i++)
    fprintf(out, "%d%d %x %x ", row[i]->p[0] == &row[(i * 3) % 40],
            (char *)row[i]->p[1] - (char *)row[i] == i * 7 % 23, (unsigned)(uintptr_t)row[i]->p[2],
            (unsigned)row[i]->n);
  memcpy(&self, edge + 3 * 4096 - 5 - sizeof self, sizeof self);
  fprintf(out, "%d %s\n", self == edge, names[1]);
}
