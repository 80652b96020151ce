/* What the commands that print JSON share. */

#include <stdlib.h>
#include <string.h>

#include "json.h"

void json_put(json_t *object, const char *key, json_t *value)
{
  if (json_object_set_new(object, key, xcheck(value)))
    xcheck(NULL);
}

json_t *json_text(const char *s)
{
  json_t *text = json_string(s);
  if (text)
    return text;
  char *ascii = xstrdup(s);
  for (char *c = ascii; *c; c++)
    if ((unsigned char)*c > 127)
      *c = '?';
  text = json_string(ascii);
  free(ascii);
  return text;
}

json_t *json_paragraph(const char *text)
{
  char *line = xalloc(strlen(text) + 1), *to = line;
  for (const char *from = text; *from; from++)
    if (*from != ' ' && *from != '\n')
      *to++ = *from;
    else if (to > line && to[-1] != ' ')
      *to++ = ' ';
  json_t *json = json_text(line);
  free(line);
  return json;
}

json_t *json_number(uint64_t n)
{
  return json_integer((json_int_t)n);
}

json_t *json_address(uint64_t address)
{
  char text[24];
  snprintf(text, sizeof text, "0x%jx", (uintmax_t)address);
  return json_string(text);
}

json_t *json_hash(const uint64_t hash[2])
{
  char text[40];
  snprintf(text, sizeof text, "%016jx%016jx", (uintmax_t)hash[1], (uintmax_t)hash[0]);
  return json_string(text);
}

static const char *const kinds[] = {
    [URF_IMPORT_SYMBOL] = "symbol", [URF_IMPORT_VALUE] = "value",
    [URF_IMPORT_MODULE] = "module", [URF_IMPORT_FOLLOW] = "follow",
    [URF_IMPORT_TLS] = "tls",       [URF_IMPORT_THREAD] = "thread",
    [URF_IMPORT_SAME] = "same",     [URF_IMPORT_SAME_VALUE] = "same value",
    [URF_IMPORT_OWN] = "own",       [URF_IMPORT_OFFSET] = "offset"};
_Static_assert(sizeof kinds / sizeof *kinds == URF_IMPORT_KINDS, "each kind has its name");

json_t *json_import(const char *name, const char *version, const char *module, uint32_t kind,
                    int64_t addend, uint64_t words)
{
  json_t *import = json_object();
  json_put(import, "name", json_text(name));
  json_put(import, "version", json_text(version));
  json_put(import, "module", json_text(module));
  json_put(import, "kind", json_string(kind < URF_IMPORT_KINDS ? kinds[kind] : "?"));
  json_put(import, "addend", json_integer(addend));
  json_put(import, "words", json_number(words));
  return import;
}

void json_print(FILE *f, json_t *root)
{
  json_dumpf(root, f, JSON_INDENT(2));
  fputc('\n', f);
  json_decref(root);
}
