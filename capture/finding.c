/* What a word that no rule explains looks like: for the report, and for a policy to be about. */

#include <string.h>

#include "classify.h"

static bool all_in_image(const struct context *x, size_t start)
{
  for (size_t r = 0; r < x->n; r++)
    if (!in_image(x, value_in(x, r, start) - x->runs[r].bias))
      return false;
  return true;
}

/* In the image in some runs, null in the others: what a table that is indexed by addresses looks like. */
static bool in_image_or_null(const struct context *x, size_t start)
{
  for (size_t r = 0; r < x->n; r++) {
    const uint64_t v = value_in(x, r, start);
    if (v && !in_image(x, v - x->runs[r].bias))
      return false;
  }
  return true;
}

/* Differs by the bias, its negative, or has been mixed with it bit by bit. */
static bool follows_base(const struct context *x, size_t start)
{
  bool plus = true, minus = true, mixed = true;
  uint64_t v0 = value_in(x, 0, start), b0 = x->runs[0].bias;
  for (size_t r = 1; r < x->n; r++) {
    uint64_t v = value_in(x, r, start), b = x->runs[r].bias;
    plus &= v - v0 == b - b0;
    minus &= v - v0 == b0 - b;
    mixed &= (v ^ v0) == (b ^ b0);
  }
  return plus || minus || mixed;
}

static enum cause cause_of_mapping(const struct context *x, uint64_t v, const struct mapping *m)
{
  /* The variables and what libc keeps stand on one side of the thread pointer each, on machines differently. */
  const uint64_t near = x->lib->tls_size + 4096;
  if (v >= x->runs[0].host_lo && v < x->runs[0].host_hi)
    return FIND_MODULE;
  for (size_t i = 0; i < x->runs[0].modules.n; i++)
    if (v >= x->runs[0].modules.at[i].lo && v < x->runs[0].modules.at[i].hi)
      return FIND_MODULE;
  if (strcmp(m->what, "[stack]") == 0)
    return FIND_STACK;
  if (x->lib->is_static && v - (x->runs[0].thread - near) < 2 * near)
    return FIND_THREAD;
  return strcmp(m->what, "[heap]") == 0 || !*m->what ? FIND_HEAP : FIND_MAPPING;
}

/* Bytes that are part of every displacement are not the same in different places, but for chance. */
static bool low_bytes_stay(const struct context *x, size_t start)
{
  uint64_t v[MAX_RUNS];
  bool null = false;
  for (size_t r = 0; r < x->n; r++) {
    v[r] = value_in(x, r, start);
    null |= !v[r];
  }
  return !null && lowest_difference(v, x->n) > x->low_byte;
}

/* What a whole word that no rule explains looks like. */
static void describe(const struct context *x, struct finding *f)
{
  const struct mapping *m = mapping_of(&x->runs[0], value_in(x, 0, f->offset));
  f->cause = FIND_VARIES;
  if (in_image_or_null(x, f->offset)) {
    f->cause = low_bytes_stay(x, f->offset) ? FIND_MIXED : FIND_MOVES;
    return;
  }
  const uint64_t target = value_in(x, 0, f->offset) - x->runs[0].bias;
  if (target >= x->lib->lo && target <= x->lib->hi) {
    f->cause = FIND_MIXED;
    return;
  }
  for (size_t r = 1; r < x->n && m; r++) {
    const struct mapping *other = mapping_of(&x->runs[r], value_in(x, r, f->offset));
    if (!other || strcmp(other->what, m->what) != 0)
      m = NULL;
  }
  if (m) {
    uint64_t v = value_in(x, 0, f->offset);
    f->cause = cause_of_mapping(x, v, m);
    snprintf(f->what, sizeof f->what, "%s",
             v >= x->runs[0].host_lo && v < x->runs[0].host_hi ? "the host program" : m->what);
  } else if (follows_base(x, f->offset))
    f->cause = FIND_BASE;
}

/* To the half of the word that varies, when it is only one. */
static void narrow(const struct context *x, struct finding *f)
{
  unsigned half = f->size / 2;
  bool low = false, high = false;
  for (unsigned i = 0; i < half; i++) {
    low |= regions_differ(x->runs, x->n, f->offset + i);
    high |= regions_differ(x->runs, x->n, f->offset + half + i);
  }
  if (f->cause != FIND_VARIES || low == high)
    return;
  f->size = half;
  f->offset += low ? 0 : half;
}

static bool is_pointer(const struct context *x, size_t start)
{
  const uint64_t target = value_in(x, 0, start) - x->runs[0].bias;
  for (size_t r = 1; r < x->n; r++)
    if (value_in(x, r, start) - x->runs[r].bias != target)
      return false;
  return in_image(x, target);
}

/* Bytes next to a pointer that stands at an odd address are not a word with a part of that. */
static bool ends_before_pointer(const struct context *x, struct finding *f, size_t d)
{
  for (size_t end = d; x->down && end > f->offset; end--)
    if (end >= x->word && is_free(x, end - x->word, x->word) && is_pointer(x, end - x->word)) {
      *f = (struct finding){.offset = end, .size = (unsigned)(d + 1 - end), .cause = FIND_VARIES};
      return true;
    }
  for (size_t start = d + 1; !x->down && start < f->offset + f->size; start++)
    if (is_free(x, start, x->word) && is_pointer(x, start)) {
      *f = (struct finding){.offset = d, .size = (unsigned)(start - d), .cause = FIND_VARIES};
      return true;
    }
  return false;
}

/* The word around d: aligned when it can be, else one that leads into the image, else the bytes up
 * to the next thing that is explained. */
struct finding finding_at(const struct context *x, size_t d)
{
  struct finding f = {.offset = d - d % x->word, .size = x->word};
  if (is_free(x, f.offset, f.size)) {
    describe(x, &f);
    if (f.cause != FIND_VARIES || ends_before_pointer(x, &f, d))
      return f;
  }
  for (size_t start = d >= x->word ? d - x->word + 1 : 0; start <= d; start++)
    if (is_free(x, start, x->word) && all_in_image(x, start))
      return (struct finding){.offset = start, .size = x->word, .cause = FIND_MOVES};
  if (is_free(x, f.offset, f.size)) {
    narrow(x, &f);
    return f;
  }
  f = (struct finding){.offset = d, .size = 1, .cause = FIND_VARIES};
  while (x->down && f.offset % x->word && is_free(x, f.offset - 1, f.size + 1) &&
         regions_differ(x->runs, x->n, f.offset - 1)) {
    f.offset--;
    f.size++;
  }
  while (!x->down && (d + f.size) % x->word && is_free(x, d, f.size + 1) &&
         regions_differ(x->runs, x->n, d + f.size))
    f.size++;
  return f;
}
