/* What the commands that print JSON share. */
#ifndef TURF_JSON_H
#define TURF_JSON_H

#include <jansson.h>

#include "turf.h"

/* Uses up value; strings that are not UTF-8 get a ? for each byte that is not ASCII. */
void json_put(json_t *object, const char *key, json_t *value);
json_t *json_text(const char *s);
json_t *json_number(uint64_t n);
json_t *json_address(uint64_t address);
json_t *json_hash(const uint64_t hash[2]);
json_t *json_import(const char *name, const char *version, const char *module, uint32_t kind,
                    int64_t addend, uint64_t words);
/* Lines for people as one. */
json_t *json_paragraph(const char *text);
/* Prints and frees it. */
void json_print(FILE *f, json_t *root);

/* report_json.c: why a library was not frozen.  r: the findings, or NULL; outside, which is used up: what
 * outside_json says, or NULL. */
struct report;
void report_refusal(FILE *f, const char *input, const struct error *e, struct report *r,
                    json_t *outside);

/* outside.c: what outside_check prints, as an array */
json_t *outside_json(const struct capture *c, struct policy *policy);
/* others.c: adds what others_check prints */
void others_json(json_t *list, const struct capture *c, struct policy *policy);

#endif
