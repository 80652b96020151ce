// Writable sections with names of the author's own: sets of records collected by the linker, and
// zero-initialised ones.
#include "feature.h"

struct option {
  const char *name;
  int *value;
  struct option *next;
};

static int speed = 1, volume = 2;
#define OPTION(n)                                                                                  \
  __attribute__((section("options"), used,                                                         \
                 aligned(sizeof(void *)))) static struct option option_##n = {#n, &n, 0}
OPTION(speed);
OPTION(volume);
extern struct option __start_options[], __stop_options[];

__attribute__((section(".data.of.mine"))) static int mine = 5;
__attribute__((section(".my_data"))) static struct {
  char *text;
  int n;
} my_data = {0, 7};
__attribute__((section(".bss.of.mine"))) static struct {
  char *text;
  int n;
} my_bss;
static struct option *first;

int urf_init(void)
{
  for (struct option *o = __start_options; o < __stop_options; o++) {
    o->next = first;
    *o->value += 10;
    first = o;
  }
  my_data.text = strdup("in a section of its own");
  my_data.n++;
  my_bss.text = strdup("in a zeroed section of its own");
  my_bss.n = 3;
  mine++;
  return 0;
}

void answer(FILE *out)
{
  for (struct option *o = first; o; o = o->next)
    fprintf(out, "%s=%d ", o->name, *o->value);
  fprintf(out, "%s %d %s %d %d\n", my_data.text, my_data.n, my_bss.text, my_bss.n, mine);
}

void mutate(FILE *out)
{
  free(my_data.text);
  my_data.text = strdup("changed");
  first = first->next;
  fprintf(out, "%d\n", ++my_bss.n);
}
