/* The report for programs, as doc/report.schema.json says.  Findings may be many: they are written one by
 * one. */

#include <stdlib.h>
#include <string.h>

#include "groups.h"
#include "json.h"

enum { EXAMPLES = 4 }; /* words of a group */

static const struct {
  enum thing thing;
  const char *word;
} things[] = {
    {THING_ADDRESS, "address"}, {THING_TIME, "time"},       {THING_PROCESS, "process"},
    {THING_RANDOM, "random"},   {THING_COUNTER, "counter"}, {THING_NAME, "name"},
    {THING_CPU, "cpu"},         {THING_OTHER, "other"},
};

static json_t *text_or_null(char *text)
{
  json_t *json = text ? json_text(text) : json_null();
  free(text);
  return json;
}

static json_t *things_json(unsigned set)
{
  json_t *list = json_array();
  for (size_t i = 0; i < sizeof things / sizeof *things; i++)
    if (set & things[i].thing)
      json_array_append_new(list, json_text(things[i].word));
  return list;
}

static json_t *example_json(const struct report *r, const struct entry *x)
{
  json_t *word = json_object(), *values = json_array();
  const bool secret = x->finding->cause == FIND_REFUSED;
  json_put(word, "place", text_or_null(place_of(&x->subject, r->runs, x->lo)));
  json_put(word, "field", text_or_null(entry_field(r, x)));
  json_put(word, "address", json_address(r->lib->note.data + x->finding->offset));
  json_put(word, "size", json_number(x->finding->size));
  json_put(word, "leads_to", *x->finding->what ? json_text(x->finding->what) : json_null());
  for (size_t run = 0; run < r->n && !secret; run++)
    json_array_append_new(values, text_or_null(entry_value(r, x, run)));
  json_put(word, "values", values);
  return word;
}

static json_t *stack_json(const struct frames *stack)
{
  json_t *list = json_array();
  for (size_t i = 0; i < stack->list.n; i++) {
    const struct frame *f = &stack->list.at[i];
    json_t *frame = json_object();
    json_put(frame, "function", json_text(f->function));
    json_put(frame, "module", f->module ? json_text(f->module) : json_null());
    json_put(frame, "file", f->file ? json_text(f->file) : json_null());
    json_put(frame, "line", f->file ? json_integer(f->line) : json_null());
    json_array_append_new(list, frame);
  }
  return list;
}

static json_t *group_json(const struct report *r, const struct group *g)
{
  const struct entry *x = g->example;
  const struct cause_text *text = &cause_texts[x->finding->cause];
  const struct subject *s = &x->subject;
  json_t *group = json_object(), *examples = json_array();
  char *route = entry_route(r, x);
  json_put(group, "cause", json_text(text->word));
  json_put(group, "title", text_or_null(group_title(r, g)));
  json_put(group, "why", json_paragraph(text->why));
  json_put(group, "cure", json_paragraph(text->cure));
  json_put(group, "symbol", s->symbol ? json_text(s->symbol->name) : json_null());
  json_put(group, "section", json_text(s->part));
  json_put(group, "allocator", s->block ? text_or_null(caller_name(s->block)) : json_null());
  json_put(group, "words", json_number(g->end - g->first));
  json_put(group, "blocks", json_number(g->blocks));
  json_put(group, "varies_with", things_json(g->varies));
  for (size_t i = 0; i < EXAMPLES && x + i < &r->entries[g->end]; i++)
    json_array_append_new(examples, example_json(r, x + i));
  json_put(group, "examples", examples);
  json_put(group, "reached_by", route && *route ? json_text(route) : json_null());
  json_put(group, "allocated_by", stack_json(&g->stack));
  free(route);
  return group;
}

/* Uses the value up. */
static void write_json(FILE *f, json_t *value, size_t flags)
{
  json_dumpf(xcheck(value), f, JSON_COMPACT | JSON_ENCODE_ANY | flags);
  json_decref(value);
}

static void write_group(FILE *f, struct report *r, const struct group *g)
{
  const bool can = cause_texts[g->example->finding->cause].action;
  fputc('{', f);
  write_json(f, group_json(r, g), JSON_EMBED);
  fputs(",\"policy\":[", f);
  for (size_t i = g->first; i < g->end && can;) {
    if (i > g->first)
      fputc(',', f);
    write_json(f, text_or_null(policy_text(r, &i, g->end)), 0);
  }
  fputs("]}", f);
}

void report_refusal(FILE *f, const char *input, const struct error *e, struct report *r,
                    json_t *outside)
{
  json_t *head = json_object();
  json_put(head, "verdict", json_text(e->status == REFUSED ? "refused" : "failed"));
  json_put(head, "status", json_integer(e->status));
  json_put(head, "input", json_text(input));
  json_put(head, "error", json_text(e->text));
  json_put(head, "outside", outside ? outside : json_array());
  json_put(head, "words", json_number(r ? r->plan->findings.n : 0));
  fputc('{', f);
  write_json(f, head, JSON_EMBED);
  fputs(",\n\"findings\":[", f);
  for (size_t i = 0; r && i < r->groups.n; i++) {
    fputs(i ? ",\n" : "\n", f);
    write_group(f, r, &r->groups.at[i]);
  }
  fputs("]}\n", f);
}
