/* What the lines of a policy do to the plan. */

#include <string.h>

#include "classify.h"

/* There may be as many lines as findings. */
void sort_policy(struct context *x)
{
  for (size_t i = 0; x->policy && i < x->policy->lines.n; i++) {
    const struct policy_line *l = &x->policy->lines.at[i];
    for (size_t r = 0; r < l->ranges.n; r++)
      cover_add(&x->lines[l->action], l->ranges.at[r].offset, l->ranges.at[r].size, i);
  }
  for (size_t action = 0; action < ACTIONS; action++)
    cover_sort(&x->lines[action]);
}

struct policy_line *policy_on(const struct context *x, enum action action, size_t at, size_t size)
{
  size_t line = cover_find(&x->lines[action], at, size);
  return line == SIZE_MAX ? NULL : &x->policy->lines.at[line];
}

bool is_settled(const struct context *x, size_t at, size_t size)
{
  static const enum action actions[] = {ACT_ZERO, ACT_TRANSIENT, ACT_RETHAW};
  for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
    if (policy_on(x, actions[i], at, size))
      return true;
  return false;
}

static void clear(struct context *x, struct policy_line *l, const struct range *range)
{
  for (size_t r = 0; r < x->n && !l->used; r++)
    l->used = !region_is_zero(&x->runs[r].region, range->offset, range->size);
  add_site(x, (struct site){.offset = range->offset,
                            .size = range->size,
                            .kind = l->action == ACT_ZERO ? SITE_ZERO : SITE_RETHAW});
  memset(x->plan->image + range->offset, 0, range->size);
}

/* what variables start with */

/* The first slot that ends behind the offset, as an index. */
static size_t find_slot(const struct context *x, size_t offset)
{
  const uint64_t address = x->lib->note.data + offset;
  size_t lo = 0, hi = x->lib->slots.n;
  while (lo < hi) {
    size_t middle = lo + (hi - lo) / 2;
    if (x->lib->slots.at[middle].address + x->word <= address)
      lo = middle + 1;
    else
      hi = middle;
  }
  return lo;
}

static unsigned char byte_at_start(const struct library *lib, size_t offset)
{
  return offset < lib->data_size ? lib->data[offset] : 0;
}

/* Whether a run left the word that the dynamic linker fills as it was then. */
static bool is_slot_at_start(struct context *x, size_t run, const struct slot *slot)
{
  struct capture *c = &x->runs[run];
  uint64_t value = c->bias;
  if (slot->kind == SLOT_OTHER) /* nobody but the dynamic linker knows */
    return true;
  if (slot->kind == SLOT_SYMBOL)
    value = capture_resolve(c, slot->symbol, slot->version,
                            library_slot(x->lib, slot->symbol, slot->version), false);
  return value_in(x, run, slot->address - x->lib->note.data) == value + (uint64_t)slot->addend;
}

/* The first offset of the range where a run has not what the variables start with; its end when there
 * is none. */
static size_t find_change(struct context *x, const struct range *range)
{
  const size_t end = range->offset + range->size;
  size_t slot = find_slot(x, range->offset);
  for (size_t at = range->offset; at < end;) {
    const struct slot *s = slot < x->lib->slots.n ? &x->lib->slots.at[slot] : NULL;
    const size_t next = s ? s->address - x->lib->note.data : SIZE_MAX;
    for (size_t r = 0; r < x->n; r++)
      if (at < next ? region_byte(&x->runs[r].region, at) != byte_at_start(x->lib, at)
                    : !is_slot_at_start(x, r, s))
        return at;
    slot += at >= next;
    at = at < next ? at + 1 : next + x->word;
  }
  return end;
}

/* The relocation that the word has in the library which is not frozen. */
static void start_slot(struct context *x, const struct slot *slot, size_t offset)
{
  struct site s = {.offset = offset, .size = x->word, .kind = SITE_POINTER};
  s.value =
      slot->kind == SLOT_OTHER ? value_in(x, 0, offset) - x->runs[0].bias : (uint64_t)slot->addend;
  if (slot->kind == SLOT_RELATIVE) {
    put_word(x->plan->image + offset, x->form, s.value);
    add_site(x, s);
    return;
  }
  if (slot->kind == SLOT_SYMBOL) {
    s.kind = SITE_IMPORT;
    s.import = new_import(x, slot->symbol, slot->version, "", URF_IMPORT_SYMBOL, slot->addend);
  }
  keep_slot(x, s);
}

/* The bytes of the file, with the relocations that are about them. */
static void start_over(struct context *x, struct policy_line *l, const struct range *range)
{
  const size_t end = range->offset + range->size;
  size_t at = range->offset;
  l->used |= find_change(x, range) < end;
  for (size_t i = at; i < end; i++)
    x->plan->image[i] = byte_at_start(x->lib, i);
  for (size_t i = find_slot(x, at); i <= x->lib->slots.n && at < end; i++) {
    const struct slot *slot = i < x->lib->slots.n ? &x->lib->slots.at[i] : NULL;
    size_t next = slot ? slot->address - x->lib->note.data : end;
    if (next > end)
      next = end;
    if (next > at)
      add_site(x, (struct site){.offset = at, .size = next - at, .kind = SITE_TRANSIENT});
    if (next < end)
      start_slot(x, slot, next);
    at = next + x->word;
  }
  *PUSH(&x->plan->keeps) = *range;
}

/* What must not be frozen is found word by word, and then by no other rule. */
static void object(struct context *x, struct policy_line *l, const struct range *range)
{
  const size_t end = range->offset + range->size;
  struct range rest = *range;
  size_t at;
  while (rest.size && (at = find_change(x, &rest)) < end) {
    size_t size = x->word - at % x->word;
    size = size < end - at ? size : end - at;
    *PUSH(&x->plan->findings) =
        (struct finding){.offset = at, .size = (unsigned)size, .cause = FIND_REFUSED, .line = l};
    rest = (struct range){at + size, end - (at + size)};
  }
  if (rest.offset > range->offset)
    add_site(x, (struct site){.offset = range->offset, .size = range->size, .kind = SITE_KEEP});
}

void apply_policy(struct context *x)
{
  for (size_t i = 0; x->policy && i < x->policy->lines.n; i++) {
    struct policy_line *l = &x->policy->lines.at[i];
    l->used |= l->action == ACT_REFUSE; /* what it forbids need not be there */
    for (size_t r = 0; r < l->ranges.n; r++)
      switch (l->action) {
      case ACT_ZERO:
      case ACT_RETHAW: clear(x, l, &l->ranges.at[r]); break;
      case ACT_TRANSIENT: start_over(x, l, &l->ranges.at[r]); break;
      case ACT_REFUSE: object(x, l, &l->ranges.at[r]); break;
      default: break;
      }
  }
}

void note_keeps(struct context *x)
{
  for (size_t i = 0; x->policy && i < x->policy->lines.n; i++) {
    const struct policy_line *l = &x->policy->lines.at[i];
    for (size_t r = 0; l->action == ACT_KEEP && l->used && r < l->ranges.n; r++)
      *PUSH(&x->plan->keeps) = l->ranges.at[r];
  }
}
