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

static void clear_range(struct context *x, struct policy_line *l, const struct range *range)
{
  for (size_t r = 0; r < x->n; r++)
    for (size_t at = range->offset; at < range->offset + range->size; at++)
      l->used |= x->runs[r].region[at] != 0;
  add_site(x, (struct site){.offset = range->offset, .size = range->size, .kind = SITE_ZERO});
  memset(x->plan->image + range->offset, 0, range->size);
}

void clear_by_policy(struct context *x)
{
  for (size_t i = 0; x->policy && i < x->policy->lines.n; i++) {
    struct policy_line *l = &x->policy->lines.at[i];
    for (size_t r = 0; l->action == ACT_ZERO && r < l->ranges.n; r++)
      clear_range(x, l, &l->ranges.at[r]);
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
