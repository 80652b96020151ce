// Initialised data that points to data, to constants and into the middle of things.
// machines: all
#include "feature.h"

struct node {
  const char *name;
  struct node *next, **back;
  int value;
};

static struct node nodes[3];
static int numbers[8] = {0, 1, 2, 3, 4, 5, 6, 7};
static int *inner = &numbers[5];
static char text[] = "writable text", *in_text = text + 9;
static const char *const words[] = {"alpha", "beta", "gamma"};
static const char **chosen, *word = "constant";
static struct node ring[2] = {
    {"first", &ring[1], &ring[1].next, 1},
    {"second", &ring[0], &ring[0].next, 2},
};
struct node *exported = &ring[1];

int urf_init(void)
{
  chosen = (const char **)&words[1];
  for (int i = 0; i < 3; i++)
    nodes[i] = (struct node){words[i], &nodes[(i + 1) % 3], &nodes[(i + 2) % 3].next, i * 10};
  inner += 1;
  text[0] = 'W';
  ring[0].value += 100;
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%d %s %s %s %s\n", *inner, text, in_text, *chosen, word);
  for (struct node *n = nodes, *end = 0; n != end; n = n->next, end = nodes)
    fprintf(out, "%s %d %d\n", n->name, n->value, *n->back == n);
  fprintf(out, "%s %s %d\n", exported->name, (*exported->back)->name, exported->next->value);
}

void mutate(FILE *out)
{
  inner = &numbers[0];
  exported = exported->next;
  in_text -= 3;
  chosen++;
  fprintf(out, "%s\n", *chosen);
}
