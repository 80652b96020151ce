// Data and functions of another library, with and without an offset.
// machines: yes
// dep: other
#include "feature.h"

struct point {
  int x, y;
};
extern int other_number, *other_pointer, other_add(int);
extern struct point other_points[4], *other_point(int);
extern const char other_text[];

static int *number = &other_number, *second_y = &other_points[1].y;
static struct point *chosen;
static struct {
  const char *text;
  int (*add)(int);
  int **held;
} * heap;

int urf_init(void)
{
  chosen = &other_points[2];
  heap = malloc(sizeof *heap);
  heap->text = other_text + 5;
  heap->add = other_add;
  heap->held = &other_pointer;
  second_y++;
  return other_point(2) != chosen;
}

void answer(FILE *out)
{
  fprintf(out, "%d %d %d %s %d %d %d\n", *number, *second_y, chosen->y, heap->text, heap->add(1),
          **heap->held, number == &other_number && chosen == other_point(2));
}

void mutate(FILE *out)
{
  chosen++;
  *number += 10;
  fprintf(out, "%d\n", other_add(0));
  *number -= 10;
}
