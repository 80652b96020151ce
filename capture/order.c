/* Structures in the byte order of another machine: turned over where they come in, and where they go out.  In
 * between, turf has them in its own. */

#include "turf.h"

/* Numbers side by side: the offsets of the first and of what is behind the last, bytes of each. */
struct numbers {
  size_t from, to, size;
};

struct record_form {
  size_t size;
  struct numbers numbers[6]; /* up to one with size 0 */
};

#define NUMBERS(type, from, to, size)                                                              \
  {                                                                                                \
    offsetof(struct type, from), offsetof(struct type, to), size                                   \
  }
#define REST(type, from, size)                                                                     \
  {                                                                                                \
    offsetof(struct type, from), sizeof(struct type), size                                         \
  }
static const struct record_form forms[] = {
    [RECORD_NUMBER] = {8, {{0, 8, 8}}},
    [RECORD_NOTE] = {sizeof(struct urf_note),
                     {NUMBERS(urf_note, namesz, name, 4), NUMBERS(urf_note, self, format, 8),
                      NUMBERS(urf_note, format, heap_end, 4), NUMBERS(urf_note, heap_end, tool, 8),
                      NUMBERS(urf_note, recipe, cpu, 8), REST(urf_note, cpu, 4)}},
    [RECORD_IMPORT] = {sizeof(struct urf_import),
                       {NUMBERS(urf_import, name, addend, 4), REST(urf_import, addend, 8)}},
    [RECORD_STRETCH] = {sizeof(struct urf_stretch),
                        {NUMBERS(urf_stretch, address, way, 8), REST(urf_stretch, way, 4)}},
    [RECORD_PROTECTION] = {sizeof(struct urf_protection),
                           {NUMBERS(urf_protection, address, prot, 8),
                            REST(urf_protection, prot, 4)}},
    [RECORD_ORIGIN] = {sizeof(struct urf_origin), {REST(urf_origin, data_size, 8)}},
    [RECORD_COMMON] = {sizeof(struct urf_common), {REST(urf_common, value, 8)}},
    [RECORD_FALLBACK] = {sizeof(struct urf_fallback), {REST(urf_fallback, shadows, 8)}},
    [RECORD_CALL] = {sizeof(struct urf_call),
                     {NUMBERS(urf_call, address, kind, 8), REST(urf_call, kind, 4)}},
};

static void turn_number(unsigned char *p, size_t size)
{
  for (size_t i = 0; i < size / 2; i++) {
    const unsigned char c = p[i];
    p[i] = p[size - 1 - i];
    p[size - 1 - i] = c;
  }
}

void order_turn(struct form form, enum order_record record, void *records, uint64_t n)
{
  const struct record_form *f = &forms[record];
  const size_t most = sizeof f->numbers / sizeof *f->numbers;
  unsigned char *p = records;
  for (uint64_t i = 0; i < n && form.swapped; i++, p += f->size)
    for (size_t j = 0; j < most && f->numbers[j].size; j++)
      for (size_t at = f->numbers[j].from; at < f->numbers[j].to; at += f->numbers[j].size)
        turn_number(p + at, f->numbers[j].size);
}

struct turning {
  struct form form;
  unsigned char *table;
  uint64_t size;
};

/* Those that are not inside of the table stay as they are: who reads them refuses them. */
static void turn_part(const struct turning *t, enum order_record record, uint64_t offset,
                      uint64_t n)
{
  if (offset > t->size || n > (t->size - offset) / forms[record].size)
    return;
  order_turn(t->form, record, t->table + offset, n);
}

/* What urf_origin and urf_fallback lead to. */
static void turn_lists(const struct turning *t, const struct urf_note *n)
{
  struct urf_origin origin;
  struct urf_fallback fallback;
  memcpy(&origin, t->table + n->origin, sizeof origin);
  turn_part(t, RECORD_COMMON, origin.common, origin.n_common);
  if (!n->fallback)
    return;
  memcpy(&fallback, t->table + n->fallback, sizeof fallback);
  turn_part(t, RECORD_CALL, fallback.calls, fallback.n_calls);
}

void order_turn_table(struct form form, unsigned char *table, const struct urf_note *n, bool out)
{
  const struct turning t = {form, table, n->table_size};
  if (!form.swapped || n->origin > t.size || t.size - n->origin < sizeof(struct urf_origin) ||
      n->fallback > t.size || t.size - n->fallback < sizeof(struct urf_fallback))
    return;
  turn_part(&t, RECORD_IMPORT, n->imports, n->n_imports);
  turn_part(&t, RECORD_STRETCH, n->stretches, n->n_stretches);
  turn_part(&t, RECORD_PROTECTION, n->protections, n->n_protections);
  if (out)
    turn_lists(&t, n);
  turn_part(&t, RECORD_ORIGIN, n->origin, 1);
  if (n->fallback)
    turn_part(&t, RECORD_FALLBACK, n->fallback, 1);
  if (!out)
    turn_lists(&t, n);
}
