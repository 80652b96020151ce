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
/* Prints and frees it. */
void json_print(FILE *f, json_t *root);

#endif
