// Pointers that carry a tag in their low bits.
#include "feature.h"

enum { FIXNUM, PAIR, STRING, SYMBOL, NIL };
typedef uintptr_t value;
struct pair {
  value car, cdr;
};

static value root = NIL;
static struct pair shared __attribute__((aligned(8)));

static value tag(void *p, unsigned tag_)
{
  return (value)p | tag_;
}

static value cons(value car, value cdr)
{
  struct pair *p = malloc(sizeof *p);
  *p = (struct pair){car, cdr};
  return tag(p, PAIR);
}

static value string(const char *s)
{
  return tag(strdup(s), STRING);
}

int urf_init(void)
{
  shared = (struct pair){tag(strdup("shared"), SYMBOL), NIL};
  root = cons(tag(&shared, PAIR), NIL);
  for (value i = 0; i < 20; i++)
    root = cons(i % 3 == 0   ? i << 3
                : i % 3 == 1 ? string("text")
                             : cons(i << 3, tag(&shared, PAIR)),
                root);
  return 0;
}

static void print(FILE *out, value v)
{
  void *p = (void *)(v & ~(value)7);
  switch (v & 7) {
  case FIXNUM: fprintf(out, "%d", (int)(v >> 3)); break;
  case STRING: fprintf(out, "\"%s\"", (char *)p); break;
  case SYMBOL: fprintf(out, "%s", (char *)p); break;
  case NIL: fprintf(out, "nil"); break;
  case PAIR:
    fprintf(out, "(");
    print(out, ((struct pair *)p)->car);
    fprintf(out, " . ");
    print(out, ((struct pair *)p)->cdr);
    fprintf(out, ")");
  }
}

void answer(FILE *out)
{
  print(out, root);
  fprintf(out, "\n");
}

void mutate(FILE *out)
{
  root = cons(string("after"), ((struct pair *)(root & ~(value)7))->cdr);
  shared.car = 5 << 3;
  fprintf(out, "%d\n", (int)(root & 7));
}
