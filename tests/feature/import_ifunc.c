// Functions that libc chooses by processor: the pointer is not the symbol's address.
// machines: yes
// only: glibc musl has no indirect functions
// cflags: -fno-builtin
#include "feature.h"

typedef void *copier(void *, const void *, size_t);
static copier *in_data = memcpy, *stored;
static struct {
  size_t (*length)(const char *);
  copier *move;
} * methods;
static int (*table[])(const char *, const char *) = {strcmp, strcasecmp, strcoll};

int urf_init(void)
{
  stored = memmove;
  methods = malloc(sizeof *methods);
  methods->length = strlen;
  methods->move = memcpy;
  return 0;
}

void answer(FILE *out)
{
  char buf[16] = "";
  in_data(buf, "abcdef", 7);
  stored(buf + 1, buf, 5);
  methods->move(buf + 7, "tail", 5);
  fprintf(out, "%s %s %zu %d %d %d\n", buf, buf + 7, methods->length(buf), table[0]("a", "a"),
          table[1]("ABC", "abc"), table[2]("a", "b") < 0);
}
