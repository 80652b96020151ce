/* What the words vary with that no rule explains: init runs in processes that have everything in common,
 * addresses and time included, and then one thing after the other is varied.
 *
 * Whoever made a seed of the time has frozen a seed.  So only the time itself is let pass, which goes on
 * by as much as the clock does, in any unit, and the id of a process itself. */

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "work.h"

/* Processes with nothing varied that tell what comes by itself: a random bit is the same in all of those
 * for words that would be taken for keyed by addresses with 1 in 256. */
enum { REPEATS = 8 };

/* Nanoseconds: another number in any unit up to hundredths of a second. */
enum { FRACTION = 20002003 };

struct study {
  struct work *w;
  struct capture base;
  bool *steps; /* per finding: it has gone on as the clock did, so far */
};

static bool is_studied(const struct finding *f)
{
  return (f->cause == FIND_MOVES || f->cause == FIND_MIXED || f->cause == FIND_BASE ||
          f->cause == FIND_VARIES) &&
         !f->stuck;
}

bool is_keyed(const struct finding *f)
{
  return is_studied(f) && f->varies == THING_ADDRESS;
}

bool comes_by_itself(const struct finding *f)
{
  return is_studied(f) && !f->plain && f->varies != THING_ADDRESS;
}

/* pure functions over bytes */

static uint64_t number_at(const unsigned char *p, size_t size, struct form form)
{
  uint64_t n = 0;
  for (size_t i = 0; i < size && i < sizeof n; i++)
    n |= (uint64_t)p[is_big(form) ? size - 1 - i : i] << 8 * i;
  return n;
}

/* Units that clocks are read in, in nanoseconds. */
#define SECOND ((uint64_t)1000000000)
static const uint64_t units[] = {1,      100,         1000,          1000000,       SECOND / 100,
                                 SECOND, 60 * SECOND, 3600 * SECOND, 86400 * SECOND};
enum { UNITS = sizeof units / sizeof *units };

/* Whether a number of so many bytes has gone on as a clock does. */
static bool counts_time(uint64_t from, uint64_t to, size_t size, uint64_t passed)
{
  const uint64_t mask = ~(uint64_t)0 >> (64 - 8 * size), by = (to - from) & mask;
  for (size_t i = 0; i < UNITS; i++)
    if (passed >= units[i] && by == (passed / units[i] & mask))
      return true;
  return false;
}

/* The same for a floating-point number, up to rounding. */
static bool counts_in_fractions(uint64_t from, uint64_t to, uint64_t passed)
{
  double a, b;
  memcpy(&a, &from, sizeof a);
  memcpy(&b, &to, sizeof b);
  for (size_t i = 0; i < UNITS; i++) {
    const double by = (double)passed / (double)units[i];
    if (fabs(b - a - by) < by / 1000)
      return true;
  }
  return false;
}

/* One digit of a text has become the next. */
static bool counts_in_digits(const unsigned char *from, const unsigned char *to, size_t size)
{
  size_t n = 0;
  for (size_t i = 0; i < size; i++) {
    if (from[i] == to[i])
      continue;
    if (!isdigit(from[i]) || !isdigit(to[i]) || to[i] != from[i] + 1)
      return false;
    n++;
  }
  return n == 1;
}

bool goes_with_clock(const unsigned char *from, const unsigned char *to, size_t size,
                     uint64_t passed, struct form form)
{
  const size_t half = size / 2;
  if (memcmp(from, to, size) == 0 || counts_in_digits(from, to, size))
    return true;
  if (size < 4 || size > sizeof(uint64_t)) /* as small numbers look anything might */
    return false;
  const uint64_t a = number_at(from, size, form), b = number_at(to, size, form);
  return counts_time(a, b, size, passed) ||
         (size == sizeof a && (counts_in_fractions(a, b, passed) ||
                               (goes_with_clock(from, to, half, passed, form) &&
                                goes_with_clock(from + half, to + half, half, passed, form))));
}

enum { DIGITS = 20 }; /* of a number of 64 bits; longer ones are not looked at to their ends */

bool is_number_at(const unsigned char *region, size_t size, size_t offset, size_t n,
                  uint64_t number, struct form form)
{
  size_t start = offset, end;
  if ((n == 4 || n == 8) && number_at(region + offset, n, form) == number)
    return true;
  while (start < offset + n && !isdigit(region[start]))
    start++;
  while (start && isdigit(region[start - 1]) && start + DIGITS > offset)
    start--;
  for (end = start; end < size && isdigit(region[end]) && end <= start + DIGITS;)
    end++;
  char *text = xprintf("%ju", (uintmax_t)number);
  bool is = strlen(text) == end - start && memcmp(text, region + start, end - start) == 0;
  free(text);
  return is;
}

/* the study */

static bool same_blocks(const struct capture *a, const struct capture *b)
{
  if (a->size != b->size || a->blocks.n != b->blocks.n)
    return false;
  for (size_t i = 0; i < a->blocks.n; i++)
    if (a->blocks.at[i].start != b->blocks.at[i].start ||
        a->blocks.at[i].size != b->blocks.at[i].size)
      return false;
  return true;
}

static bool is_same(const struct study *s, const struct capture *c, const struct finding *f)
{
  const struct region *a = &s->base.region, *b = &c->region;
  if (f->cause == FIND_MOVES && region_word(a, f->offset) && region_word(b, f->offset))
    return region_word(a, f->offset) - s->base.bias == region_word(b, f->offset) - c->bias;
  size_t i = 0;
  while (i < f->size && region_byte(a, f->offset + i) == region_byte(b, f->offset + i))
    i++;
  return i == f->size;
}

static bool goes_on(const struct region *from, const struct region *to, const struct finding *f,
                    uint64_t passed)
{
  unsigned char *a = xalloc(f->size), *b = xalloc(f->size);
  region_read(from, f->offset, f->size, a);
  region_read(to, f->offset, f->size, b);
  const bool goes = goes_with_clock(a, b, f->size, passed, from->form);
  free(a);
  free(b);
  return goes;
}

/* One more process like base, but for a thing. */
struct trial {
  enum thing thing;
  unsigned seed;
  int64_t ahead;
  struct capture c; /* once it has been started */
};

static struct setting setting_of(const struct study *s, const struct trial *t)
{
  return (struct setting){.seed = t->seed,
                          .align = s->w->runs[0].align,
                          .steady = true,
                          .books = BOOK_BLOCKS,
                          .layout = s->w->layout,
                          .varied = t->thing == THING_OTHER ? 0 : t->thing,
                          .ahead = t->ahead};
}

/* The first of n, and those that are to come next to it: as with the runs, who differs for that is
 * refused. */
static void start(const struct study *s, struct trial *t, size_t n)
{
  enum { HELD = 2 }; /* the first run and the image */
  const size_t number = at_once(s->w, HELD);
  for (size_t i = 0; number > 1 && i < n && i < number; i++) {
    const struct setting setting = setting_of(s, &t[i]);
    if (!t[i].c.process)
      capture_ahead(&t[i].c, s->w->o, &s->w->lib, s->w->lib.file, &setting, true);
  }
}

/* 0 when it could not be had either, because init did not come to its end there: then t->c is empty. */
static int observe(const struct study *s, struct trial *t, struct error *e)
{
  struct error own = {0};
  struct work *w = s->w;
  const struct setting setting = setting_of(s, t);
  if (!capture_take(&t->c, w->o, &w->lib, w->lib.file, &setting, &w->runs[0].region, true, w->cache,
                    &own))
    return 0;
  capture_free(&t->c);
  int status = own.status == REFUSED ? 0 : fail(e, own.status, "%s", own.text);
  error_free(&own);
  return status;
}

/* What is not the same in that process varies with the thing. */
static int vary(struct study *s, struct trial *t, struct error *e)
{
  struct plan *plan = &s->w->plan;
  const struct capture *c = &t->c;
  if (observe(s, t, e))
    return -1;
  const bool alike = c->region.own && s->base.region.own && same_blocks(&s->base, c);
  for (size_t i = 0; i < plan->findings.n; i++) {
    struct finding *f = &plan->findings.at[i];
    if (!is_studied(f) || (alike && is_same(s, c, f)))
      continue;
    f->varies |= t->thing;
    s->steps[i] &= alike && (t->thing == THING_TIME || t->thing == THING_CPU) &&
                   goes_on(&s->base.region, &c->region, f, (uint64_t)t->ahead);
  }
  capture_free(&t->c);
  return 0;
}

static void trials_free(struct trial *t, size_t n)
{
  for (size_t i = 0; i < n; i++)
    capture_free(&t[i].c);
}

static int vary_all(struct study *s, struct error *e)
{
  struct trial tries[] = {
      {.thing = THING_OTHER, .seed = 1},
      {.thing = THING_RANDOM, .seed = 1},
      {.thing = THING_PROCESS, .seed = 1},
      {.thing = THING_TIME, .seed = 1, .ahead = FRACTION},
      {.thing = THING_TIME, .seed = 1, .ahead = SECOND},
      {.thing = THING_TIME, .seed = 1, .ahead = 60 * SECOND},
      {.thing = THING_TIME, .seed = 1, .ahead = 3600 * SECOND},
      {.thing = THING_CPU, .seed = 1, .ahead = FRACTION},
      {.thing = THING_CPU, .seed = 1, .ahead = SECOND},
      {.thing = THING_CPU, .seed = 1, .ahead = 60 * SECOND},
      {.thing = THING_CPU, .seed = 1, .ahead = 3600 * SECOND},
      {.thing = THING_COUNTER, .seed = 1},
      {.thing = THING_NAME, .seed = 1},
      {.thing = THING_ADDRESS, .seed = 2},
      {.thing = THING_ADDRESS, .seed = 3},
  };
  const unsigned asked = process_asked(s->base.process);
  size_t n = 0;
  int status = 0;
  for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
    if (asked & tries[i].thing)
      tries[n++] = tries[i];
  for (size_t i = 0; i < n && !status; i++) {
    progress(s->w, "looking for causes", i + 1, n);
    start(s, tries + i, n - i);
    status = vary(s, tries + i, e);
  }
  trials_free(tries, n);
  return status;
}

static bool any_is_keyed(const struct plan *plan)
{
  size_t i = 0;
  while (i < plan->findings.n && !is_keyed(&plan->findings.at[i]))
    i++;
  return i < plan->findings.n;
}

/* What would be cured by other addresses had better not come by itself. */
static int repeat(struct study *s, struct error *e)
{
  struct trial again[REPEATS - 1] = {{0}};
  enum { N = REPEATS - 1 };
  int status = 0;
  for (size_t i = 0; i < N; i++)
    again[i] = (struct trial){.thing = THING_OTHER, .seed = 1};
  for (size_t i = 0; i < N && !status && any_is_keyed(&s->w->plan); i++) {
    start(s, again + i, N - i);
    status = vary(s, again + i, e);
  }
  trials_free(again, N);
  return status;
}

/* Whether the bytes of a region are that number: it and what is around it. */
static bool has_number(const struct capture *c, size_t region_size, size_t offset, size_t size,
                       uint64_t number)
{
  const size_t from = offset < 2 * DIGITS ? 0 : offset - 2 * DIGITS;
  const size_t to =
      region_size - offset - size < 2 * DIGITS ? region_size : offset + size + 2 * DIGITS;
  unsigned char *bytes = xalloc(to - from);
  region_read(&c->region, from, to - from, bytes);
  const bool has = is_number_at(bytes, to - from, offset - from, size, number, c->region.form);
  free(bytes);
  return has;
}

/* Whether the bytes are the id of the process, or of its parent, in every run. */
static bool is_id(const struct work *w, size_t offset, size_t size)
{
  bool own = true, parent = true, same = true;
  for (size_t r = 0; r < w->n; r++) {
    const struct capture *c = &w->runs[r];
    const uint64_t id = (uint64_t)process_id(c->process), parents = (uint64_t)trace_parent(c->seed);
    own &= has_number(c, w->plan.size, offset, size, id);
    parent &= has_number(c, w->plan.size, offset, size, parents);
    for (size_t i = 0; i < size; i++)
      same &= !regions_differ(w->runs, r + 1, offset + i);
  }
  return own || parent || same ||
         (size == 8 && is_id(w, offset, size / 2) && is_id(w, offset + size / 2, size / 2));
}

static void judge_plain(struct study *s)
{
  struct plan *plan = &s->w->plan;
  for (size_t i = 0; i < plan->findings.n; i++) {
    struct finding *f = &plan->findings.at[i];
    if (f->varies & THING_OTHER) /* then anything seems to have an influence */
      f->varies = THING_OTHER;
    if (f->cause != FIND_VARIES)
      continue;
    f->plain = s->steps[i] && (f->varies == THING_TIME || f->varies == THING_CPU);
    if (!f->plain && is_id(s->w, f->offset, f->size)) {
      f->plain = true;
      f->varies = THING_PROCESS;
    }
  }
}

static int study(struct study *s, struct error *e)
{
  const struct capture *run = &s->w->runs[0];
  struct trial base = {.thing = THING_OTHER, .seed = 1};
  for (size_t i = 0; i < s->w->plan.findings.n; i++)
    s->steps[i] = true;
  if (observe(s, &base, e))
    return -1;
  s->base = base.c;
  if (!s->base.region.own ||
      !same_blocks(&s->base, run)) { /* it would not be about the same words */
    for (size_t i = 0; i < s->w->plan.findings.n; i++)
      s->w->plan.findings.at[i].varies = THING_OTHER;
  } else if (vary_all(s, e) || repeat(s, e))
    return -1;
  judge_plain(s);
  return 0;
}

/* A number whose lower half varies carries into the upper one another time.  n: sites, by offset. */
static void carry(const struct plan *plan, size_t n, struct finding *f, struct form form)
{
  const size_t half = f->size, whole = f->offset - f->offset % form.word;
  const size_t upper = is_big(form) ? whole : whole + half, lower = 2 * whole + half - upper;
  if (2 * half != form.word || f->offset != lower || form.word > plan->size - whole)
    return;
  size_t lo = 0;
  while (lo < n) { /* the last that begins before its end; none lies over another */
    size_t middle = lo + (n - lo) / 2;
    if (plan->sites.at[middle].offset < upper + half)
      lo = middle + 1;
    else
      n = middle;
  }
  if ((lo && plan->sites.at[lo - 1].offset + plan->sites.at[lo - 1].size > upper) ||
      !(get_word(plan->image + whole, form) >> 8 * half))
    return;
  f->offset = whole;
  f->size = form.word;
}

/* Another process's id may differ in any digit, not only in those that differ between the runs' ids. */
static struct range all_digits(const struct work *w, const struct finding *f)
{
  const unsigned char *image = w->plan.image;
  const struct capture *run = &w->runs[0];
  const size_t last = f->offset + f->size;
  size_t start = f->offset, end;
  while (start < last && !isdigit(image[start]))
    start++;
  while (start && isdigit(image[start - 1]) && start + DIGITS > f->offset)
    start--;
  for (end = start; end < w->plan.size && isdigit(image[end]) && end < start + DIGITS;)
    end++;
  char *text = xprintf("%.*s", (int)(end - start), (const char *)image + start);
  const uint64_t number = strtoull(text, NULL, 10), parent = (uint64_t)trace_parent(run->seed);
  const bool is = f->varies == THING_PROCESS &&
                  (number == (uint64_t)process_id(run->process) || number == parent);
  free(text);
  start = is && start < f->offset ? start : f->offset;
  end = is && end > last ? end : last;
  return (struct range){start, end - start};
}

/* Frozen as it was, with a warning. */
static void let_pass(struct work *w)
{
  struct plan *plan = &w->plan;
  const size_t n = plan->sites.n;
  size_t left = 0;
  for (size_t i = 0; i < plan->findings.n; i++) {
    struct finding f = plan->findings.at[i];
    if (!f.plain) {
      plan->findings.at[left++] = f;
      continue;
    }
    carry(plan, n, &f, w->lib.form);
    *PUSH(&plan->plain) = f;
    *PUSH(&plan->keeps) = all_digits(w, &f);
    *PUSH(&plan->sites) = (struct site){.offset = f.offset, .size = f.size, .kind = SITE_KEEP};
  }
  plan->findings.n = left;
  plan_sort(plan);
}

int find_causes(struct work *w, struct error *e)
{
  size_t i = 0;
  while (i < w->plan.findings.n && !is_studied(&w->plan.findings.at[i]))
    i++;
  if (i == w->plan.findings.n)
    return 0;
  struct study s = {.w = w, .steps = xalloc(w->plan.findings.n * sizeof *s.steps)};
  int status = study(&s, e);
  if (!status)
    let_pass(w);
  capture_free(&s.base);
  free(s.steps);
  return status;
}
