/* Which bytes of a library are instructions.  Two bytes of an address or a constant may look like an instruction
 * that asks for the CPU's features; those that are the inside of another one are sorted out here.
 *
 * Instructions are followed from where they are known to begin (functions, unwind tables, words with
 * addresses), through branches and tables of distances, as compilers make for switch.  What is never
 * reached may be anything, and where bytes are met that are no instruction, nothing in that function is
 * believed.  One thing must then be left out: that something jumps into the middle of the instruction.
 * Distances of four bytes that lead there are looked for at every byte of the code, those of one byte where
 * nothing has been reached.  A computed jump to there, which no compiler makes, would not be seen. */

#include <stdlib.h>

#include "turf.h"

#include "code.h"

struct flow {
  const struct code *code;
  csh handle;
  cs_insn *insn;
  struct bitmap starts;   /* of instructions that are reached */
  struct bitmap covered;  /* bytes behind those */
  struct bitmap doubtful; /* by function: index of the next in code->starts */
  struct offsets tables;  /* what code refers to elsewhere, sorted: one ends where another begins */
  LIST(size_t) todo;
};

void code_find(const struct code *c, const struct machine *m, struct offsets *list)
{
  const size_t wide = m->asks.mask >> 16 ? 4 : 2;
  for (size_t i = 0; m->asks.mask && i < c->parts.n; i++) {
    const size_t end = c->parts.at[i].offset + c->parts.at[i].size, step = m->asks.step;
    for (size_t at = (c->parts.at[i].offset + step - 1) / step * step; at + wide <= end;
         at += step) {
      uint32_t code = 0;
      memcpy(&code, c->at + at, wide);
      if (machine_form(m).swapped)
        code = __builtin_bswap32(code);
      if ((code & m->asks.mask) == m->asks.value)
        *PUSH(&list->list) = at;
    }
  }
}

static int by_value(const void *a, const void *b)
{
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void sort_offsets(struct offsets *p)
{
  size_t n = 0;
  sort(p->list.at, p->list.n, sizeof *p->list.at, by_value);
  for (size_t i = 0; i < p->list.n; i++)
    if (!n || p->list.at[n - 1] != p->list.at[i])
      p->list.at[n++] = p->list.at[i];
  p->list.n = n;
}

/* How many of a sorted list are not behind a place. */
static size_t count_to(const struct offsets *p, uint64_t at)
{
  return count_below(p->list.at, p->list.n, sizeof *p->list.at, 0, at + 1);
}

static size_t function_of(const struct flow *f, size_t at)
{
  return count_to(&f->code->starts, at);
}

/* The end of the executable part that an offset is in, or 0. */
static size_t part_end(const struct code *c, uint64_t at)
{
  for (size_t i = 0; i < c->parts.n; i++)
    if (at - c->parts.at[i].offset < c->parts.at[i].size)
      return c->parts.at[i].offset + c->parts.at[i].size;
  return 0;
}

static void reach(struct flow *f, uint64_t at)
{
  if (part_end(f->code, at) && !bitmap_get(&f->starts, at))
    *PUSH(&f->todo) = at;
}

/* At any byte: a table that nothing refers to costs less than one that is taken for part of another. */
static void find_tables(struct flow *f)
{
  const struct code *c = f->code;
  for (size_t i = 0; i < c->parts.n; i++) {
    const size_t end = c->parts.at[i].offset + c->parts.at[i].size;
    for (size_t at = c->parts.at[i].offset; at + CODE_REFERENCE <= end; at++) {
      const uint64_t table = at + CODE_REFERENCE + (uint64_t)code_reference(c->at + at);
      if (code_is_reference(c->at + at) && table < c->size && !part_end(c, table))
        *PUSH(&f->tables.list) = table;
    }
  }
  sort_offsets(&f->tables);
}

/* Distances from the start of a table to places in the same function; some may lead to what is never done, which
 * compilers put elsewhere. */
static void reach_by_table(struct flow *f, size_t from, uint64_t table)
{
  const struct code *c = f->code;
  const size_t function = function_of(f, from), next = count_to(&f->tables, table);
  const uint64_t end = next < f->tables.list.n ? f->tables.list.at[next] : c->size;
  int32_t distance;
  reach(f, table); /* if it is code, whose address is taken */
  for (uint64_t at = table; at < end && end - at >= sizeof distance; at += sizeof distance) {
    memcpy(&distance, c->at + at, sizeof distance);
    const uint64_t target = table + (uint64_t)(int64_t)distance;
    if (!part_end(c, target))
      break;
    if (function_of(f, target) == function)
      reach(f, target);
  }
}

/* The instruction there; 0, or its size and what it does. */
static size_t decode(struct flow *f, size_t at, struct step *s)
{
  const uint8_t *p = f->code->at + at;
  size_t left = part_end(f->code, at) - at;
  uint64_t address = at;
  return cs_disasm_iter(f->handle, &p, &left, &address, f->insn) && code_step(f->insn, s)
             ? f->insn->size
             : 0;
}

/* Where that function ends at the latest: the next one begins, or the part ends. */
static size_t function_end(const struct flow *f, size_t function, size_t at)
{
  const size_t end = part_end(f->code, at);
  return function < f->code->starts.list.n && f->code->starts.list.at[function] < end
             ? f->code->starts.list.at[function]
             : end;
}

static void follow(struct flow *f, size_t at)
{
  struct step s = {0};
  size_t function = 0, end = 0;
  while (!s.ends && part_end(f->code, at) && !bitmap_get(&f->starts, at)) {
    if (at >= end) {
      function = function_of(f, at);
      end = function_end(f, function, at);
    }
    const size_t size = decode(f, at, &s);
    bitmap_set(&f->starts, at, true);
    if (!size || size > end - at) {
      bitmap_set(&f->doubtful, function, true);
      return;
    }
    for (size_t i = 1; i < size; i++)
      bitmap_set(&f->covered, at + i, true);
    at += size;
    if (s.branches)
      reach(f, at + (uint64_t)s.target);
    else if (s.refers)
      reach_by_table(f, at - 1, at + (uint64_t)s.target);
  }
}

/* The instruction that covers a place, the first of several, or SIZE_MAX. */
static size_t covering(struct flow *f, size_t at)
{
  struct step s;
  size_t found = SIZE_MAX;
  if (!bitmap_get(&f->covered, at))
    return found;
  for (size_t back = 1; back < 15 && back <= at; back++)
    if (bitmap_get(&f->starts, at - back) && decode(f, at - back, &s) > back) {
      found = at - back;
      if (s.asks) /* with a prefix */
        return SIZE_MAX;
    }
  return found;
}

/* Whether a short branch at a place that was not reached leads to [lo, hi]. */
static bool has_short_way(const struct flow *f, size_t lo, size_t hi)
{
  const size_t reach_of = 130;
  size_t at = lo > reach_of ? lo - reach_of : 0;
  for (; at < hi + reach_of && at + 2 <= f->code->size; at++)
    if (code_is_short(f->code->at[at]) && !bitmap_get(&f->starts, at) &&
        !bitmap_get(&f->covered, at) &&
        at + 2 + (uint64_t)(int64_t)(int8_t)f->code->at[at + 1] - lo <= hi - lo)
      return true;
  return false;
}

/* A place that looks like an instruction which asks; one that leads to [from, at] leads to it. */
struct suspect {
  uint64_t from, at;
  bool cleared;
};

/* Whether four bytes belong to one instruction that has been followed. */
static bool is_inside(const struct flow *f, size_t at)
{
  for (size_t i = 0; i < 4; i++)
    if (!bitmap_get(&f->covered, at + i) || bitmap_get(&f->starts, at + i))
      return false;
  return true;
}

/* Takes those back that a distance of four bytes leads to. */
static void look_for_ways(const struct flow *f, struct suspect *list, size_t n)
{
  const struct code *c = f->code;
  int32_t distance;
  for (size_t i = 0; i < c->parts.n; i++) {
    const size_t end = c->parts.at[i].offset + c->parts.at[i].size;
    for (size_t at = c->parts.at[i].offset + 2; at + sizeof distance <= end; at++) {
      memcpy(&distance, c->at + at, sizeof distance);
      const uint64_t target = at + sizeof distance + (uint64_t)(int64_t)distance;
      if (target >= c->size || !code_is_distance(c->at + at))
        continue;
      const size_t k = count_below(list, n, sizeof *list, offsetof(struct suspect, at), target);
      if (k < n && list[k].from <= target && !is_inside(f, at))
        list[k].cleared = false;
    }
  }
}

static int flow_begin(struct flow *f, struct error *e)
{
  bitmap_init(&f->starts, f->code->size);
  bitmap_init(&f->covered, f->code->size);
  bitmap_init(&f->doubtful, f->code->starts.list.n + 1);
  if (cs_open(CODE_MACHINE, &f->handle) != CS_ERR_OK)
    return fail(e, SYSTEM, "libcapstone cannot read the code of this machine");
  f->insn = xcheck(cs_malloc(f->handle));
  return 0;
}

static void flow_end(struct flow *f)
{
  if (f->insn)
    cs_free(f->insn, 1);
  if (f->handle)
    (void)cs_close(&f->handle);
  free(f->starts.at);
  free(f->covered.at);
  free(f->doubtful.at);
  free(f->todo.at);
  free(f->tables.list.at);
}

static void flow_run(struct flow *f)
{
  find_tables(f);
  for (size_t i = 0; i < f->code->starts.list.n; i++)
    reach(f, f->code->starts.list.at[i]);
  for (size_t i = 0; i < f->code->roots.list.n; i++)
    reach(f, f->code->roots.list.at[i]);
  while (f->todo.n)
    follow(f, f->todo.at[--f->todo.n]);
}

static void clear(struct flow *f, struct suspect *s)
{
  const size_t by = bitmap_get(&f->starts, s->at) ? SIZE_MAX : covering(f, s->at);
  s->from = by == SIZE_MAX ? s->at : by + 1;
  s->cleared = by != SIZE_MAX && !bitmap_get(&f->doubtful, function_of(f, by)) &&
               !has_short_way(f, s->from, s->at);
}

int code_sift(struct code *c, struct offsets *list, struct error *e)
{
  struct flow f = {.code = c};
  struct suspect *suspects = xalloc(list->list.n * sizeof *suspects);
  sort_offsets(&c->starts);
  int status = flow_begin(&f, e);
  if (!status)
    flow_run(&f);
  for (size_t i = 0; i < list->list.n && !status; i++) {
    suspects[i] = (struct suspect){.at = list->list.at[i]};
    clear(&f, &suspects[i]);
  }
  if (!status) {
    const size_t n = list->list.n;
    look_for_ways(&f, suspects, n);
    list->list.n = 0;
    for (size_t i = 0; i < n; i++)
      if (!suspects[i].cleared)
        list->list.at[list->list.n++] = suspects[i].at;
  }
  free(suspects);
  flow_end(&f);
  return status;
}

static uint64_t get_32(const unsigned char *p)
{
  int32_t n;
  memcpy(&n, p, sizeof n);
  return (uint64_t)(int64_t)n;
}

void code_add_unwind(struct code *c, uint64_t table)
{
  /* version 1; a pointer of 4 bytes; their number in 4 bytes; pairs of 4 bytes, from the table's start on */
  static const unsigned char usual[] = {1, 0x1b, 3, 0x3b};
  const size_t head = sizeof usual + 4 + 4, pair = 8;
  if (table >= c->size || c->size - table < head || memcmp(c->at + table, usual, sizeof usual) != 0)
    return;
  const uint64_t n = get_32(c->at + table + 8) & UINT32_MAX;
  for (uint64_t i = 0; i < n && c->size - table - head >= (i + 1) * pair; i++)
    code_add_start(c, table + get_32(c->at + table + head + i * pair));
}

void code_add_start(struct code *c, uint64_t at)
{
  if (part_end(c, at))
    *PUSH(&c->starts.list) = at;
}

void code_add_words(struct code *c, const unsigned char *words, size_t n, uint64_t bias)
{
  for (size_t i = 0; i + sizeof bias <= n; i += sizeof bias) {
    const uint64_t at = get_word(words + i, native(sizeof bias)) - bias;
    if (part_end(c, at))
      *PUSH(&c->roots.list) = at;
  }
}

void code_free(struct code *c)
{
  free(c->parts.at);
  free(c->starts.list.at);
  free(c->roots.list.at);
}
