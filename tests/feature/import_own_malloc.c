// The allocator itself as a function pointer, as in every library with memory hooks.
#include "feature.h"

static struct hooks {
  void *(*get)(size_t);
  void *(*resize)(void *, size_t);
  void (*put)(void *);
} hooks = {malloc, realloc, free}, *stored;
static char *text;

int urf_init(void)
{
  stored = hooks.get(sizeof *stored);
  stored->get = malloc;
  stored->resize = realloc;
  stored->put = free;
  text = stored->get(10);
  strcpy(text, "hooked");
  return 0;
}

void answer(FILE *out)
{
  fprintf(out, "%s %d\n", text, stored->get == hooks.get && stored->put == hooks.put);
}

void mutate(FILE *out)
{
  text = stored->resize(text, 50000);
  strcat(text, " and resized");
  char *p = hooks.get(100);
  stored->put(p);
  fprintf(out, "%zu\n", strlen(text));
}
