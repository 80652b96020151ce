// Pointers that carry a tag in their high 16 bits: type numbers, as in boxed values.
#include "feature.h"

typedef uint64_t value;
#define TAG(t) ((value)(t) << 48)
#define POINTER(v) ((void *)(uintptr_t)((v) << 16 >> 16))

static value table[32];
static value in_data = TAG(7) | 1;
static value *on_heap;

int urf_init(void)
{
  on_heap = malloc(32 * sizeof *on_heap);
  for (unsigned i = 0; i < 32; i++) {
    char *text = malloc(16);
    snprintf(text, 16, "text %u", i);
    table[i] = TAG(0xfff0 + i % 16) | (uintptr_t)text;
    on_heap[i] = TAG(i + 1) | (uintptr_t)&table[31 - i];
  }
  in_data = TAG(0x7ff8) | (uintptr_t)on_heap;
  return 0;
}

void answer(FILE *out)
{
  value *h = POINTER(in_data);
  for (int i = 0; i < 32; i++) {
    value v = *(value *)POINTER(h[i]);
    fprintf(out, "%x %x %s\n", (unsigned)(h[i] >> 48), (unsigned)(v >> 48), (char *)POINTER(v));
  }
}

void mutate(FILE *out)
{
  table[3] = TAG(9) | (uintptr_t)strdup("new");
  on_heap[0] = TAG(2) | (uintptr_t)&table[3];
  fprintf(out, "%s\n", (char *)POINTER(*(value *)POINTER(on_heap[0])));
}
