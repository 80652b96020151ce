/* turf info: what a turf or urf library holds. */

#include <stdlib.h>
#include <string.h>

#include "json.h"

enum { PAGE = 4096 };

struct facts {
  struct library *lib;
  const struct urf_note *note;
  bool frozen;
  uint64_t end;            /* of the region, heap included */
  uint64_t pages, written; /* pages of the region, and those with a word that a load writes */
  unsigned char *page;     /* per page: whether it has one */
  uint64_t *words;         /* per import */
  uint64_t import_words;
};

/* the words that a load writes */

static void mark(struct facts *x, uint64_t offset)
{
  const uint64_t last = offset + x->lib->form.word - 1;
  if (last < offset || last / PAGE >= x->pages)
    return;
  x->page[offset / PAGE] = 1;
  x->page[last / PAGE] = 1;
}

static struct urf_import get_import(const struct facts *x, uint64_t i)
{
  struct urf_import import;
  memcpy(&import, x->lib->table + x->note->imports + i * sizeof import, sizeof import);
  return import;
}

static const char *text_at(const struct facts *x, uint32_t offset)
{
  return (const char *)x->lib->table + offset;
}

static uintmax_t n_pointers(const struct urf_note *note)
{
  return note->n_pointers + note->n_odd + note->n_rotated;
}

static int read_sites(struct facts *x, struct error *e)
{
  struct plan plan = {0};
  int status = place_read(&plan, x->lib, e);
  for (size_t i = bitmap_next(&plan.pointers, 0); i < plan.pointers.n;
       i = bitmap_next(&plan.pointers, i + 1))
    mark(x, i * x->lib->form.word);
  for (size_t i = 0; i < plan.sites.n && !status; i++) {
    const struct site *s = &plan.sites.at[i];
    if (s->kind != SITE_POINTER && s->kind != SITE_IMPORT)
      continue;
    mark(x, s->offset);
    if (s->kind == SITE_IMPORT && !s->by_ldso) {
      x->words[s->import]++;
      x->import_words++;
    }
  }
  plan_free(&plan);
  return status;
}

static int facts_init(struct facts *x, struct library *lib, struct error *e)
{
  const struct urf_note *note = &lib->note;
  *x = (struct facts){.lib = lib, .note = note, .frozen = note->flags & URF_FROZEN};
  x->end = x->frozen ? note->heap_end : note->heap;
  x->pages = (x->end - note->data + PAGE - 1) / PAGE;
  x->page = xalloc(x->pages);
  x->words = xalloc((x->frozen ? note->n_imports : 0) * sizeof *x->words);
  for (size_t i = 0; i < lib->slots.n; i++)
    mark(x, lib->slots.at[i].address - note->data);
  int status = x->frozen ? read_sites(x, e) : 0;
  for (uint64_t i = 0; i < x->pages; i++)
    x->written += x->page[i];
  return status;
}

static void facts_free(struct facts *x)
{
  free(x->page);
  free(x->words);
}

static const char *kind_of(const struct facts *x)
{
  if (x->lib->is_static || x->lib->is_program)
    return x->frozen ? "urf program" : "turf program";
  return x->frozen ? "urf library" : "turf library";
}

static const char *libc_of(const struct facts *x)
{
  return x->lib->is_static ? "static" : x->lib->libc == LIBC_MUSL ? "musl" : "glibc";
}

static char *tool_of(const struct facts *x)
{
  return xprintf("%.*s", (int)sizeof x->note->tool, x->note->tool);
}

/* "rw-" */
static void protection(uint32_t prot, char out[4])
{
  snprintf(out, 4, "%c%c%c", prot & 1 ? 'r' : '-', prot & 2 ? 'w' : '-', prot & 4 ? 'x' : '-');
}

static struct urf_protection get_protection(const struct facts *x, uint64_t i)
{
  struct urf_protection p;
  memcpy(&p, x->lib->table + x->note->protections + i * sizeof p, sizeof p);
  return p;
}

/* as text */

#define ROW(f, name, ...) (fprintf(f, "%-18s", name), fprintf(f, __VA_ARGS__), fputc('\n', f))

static void print_recipe_line(void *context, const char *word, const char *argument)
{
  FILE *f = context;
  char name[40];
  snprintf(name, sizeof name, "  %s", word);
  ROW(f, name, "%s", argument);
}

static bool has_cpu(const struct urf_note *note)
{
  static const uint32_t none[URF_CPU_WORDS];
  return memcmp(note->cpu, none, sizeof none) != 0;
}

static void print_cpu(FILE *f, const struct urf_note *note)
{
  fprintf(f, "%-18s%s", "cpu", has_cpu(note) ? "with the features" : "any");
  for (size_t i = 0; i < URF_CPU_WORDS && has_cpu(note); i++)
    fprintf(f, " %x", (unsigned)note->cpu[i]);
  fputc('\n', f);
}

static void print_imports(FILE *f, const struct facts *x)
{
  for (uint64_t i = 0; i < x->note->n_imports; i++) {
    struct urf_import import = get_import(x, i);
    const char *version = text_at(x, import.version), *module = text_at(x, import.module);
    fprintf(f, "  %s%s%s%s", import.kind == URF_IMPORT_VALUE ? "*" : "", text_at(x, import.name),
            *version && import.kind != URF_IMPORT_OFFSET ? "@" : "",
            import.kind != URF_IMPORT_OFFSET ? version : "");
    if (import.kind == URF_IMPORT_THREAD)
      fputs("the thread that loads it", f);
    else if (import.kind == URF_IMPORT_OFFSET)
      fputs("no symbol, by build-id", f);
    else if (import.kind == URF_IMPORT_TLS)
      fputs("its thread-local variables", f);
    const bool own = import.kind == URF_IMPORT_OWN || import.kind == URF_IMPORT_FOLLOW;
    if (import.addend && !own)
      fprintf(f, "%+jd", (intmax_t)import.addend);
    else if (own)
      fprintf(f, " at 0x%jx", (uintmax_t)import.addend);
    fprintf(f, "%s%s: ", *module ? " of " : "", module);
    if (import.kind == URF_IMPORT_OWN)
      fprintf(f, "no other module may have it\n");
    else if (import.kind == URF_IMPORT_SAME_VALUE)
      fprintf(f, "has to hold the one before\n");
    else if (import.kind == URF_IMPORT_SAME)
      fprintf(f, "has to be the one before\n");
    else
      fprintf(f, "%ju words%s\n", (uintmax_t)x->words[i],
              import.kind == URF_IMPORT_FOLLOW ? ", or another module's" : "");
  }
}

static void print_frozen(FILE *f, const struct facts *x)
{
  const struct urf_note *note = x->note;
  char *tool = tool_of(x);
  ROW(f, "frozen by", "turf %s, format %u", tool, note->format);
  free(tool);
  ROW(f, "alignment", "0x%jx, of the difference to the linked address", (uintmax_t)note->align);
  ROW(f, "input hash", "%016jx%016jx", (uintmax_t)note->input_hash[1],
      (uintmax_t)note->input_hash[0]);
  ROW(f, "image hash", "%016jx%016jx", (uintmax_t)note->image_hash[1],
      (uintmax_t)note->image_hash[0]);
  ROW(f, "table", "%ju bytes, of which %ju are not read at load", (uintmax_t)note->table_size,
      (uintmax_t)(note->origin_size + note->recipe_size));
  ROW(f, "pointers", "%ju, of which %ju at odd addresses, %ju rotated", n_pointers(note),
      (uintmax_t)note->n_odd, (uintmax_t)note->n_rotated);
  ROW(f, "imports", "%ju, in %ju words", (uintmax_t)note->n_imports, (uintmax_t)x->import_words);
  print_imports(f, x);
  for (uint64_t i = 0; i < note->n_protections; i++) {
    struct urf_protection p = get_protection(x, i);
    char prot[4];
    protection(p.prot, prot);
    ROW(f, "protected", "0x%jx, %ju bytes, %s", (uintmax_t)p.address, (uintmax_t)p.size, prot);
  }
  ROW(f, "base", "%s", note->flags & URF_FIXED ? "the preferred one only" : "any");
  ROW(f, "fallback", "%s",
      note->fallback      ? "init"
      : x->lib->is_static ? "none, the program ends"
                          : "none, the load fails");
  print_cpu(f, note);
  if (x->lib->machine->largest_page)
    ROW(f, "pages", "%s", note->flags & URF_PAGES ? "of 4096 bytes" : "any");
  fprintf(f, "recipe\n");
  recipe_each((const char *)x->lib->table + note->recipe, note->recipe_size, print_recipe_line, f);
}

static void print_text(FILE *f, const struct facts *x)
{
  const struct library *lib = x->lib;
  const struct urf_note *note = x->note;
  ROW(f, "file", "%s, %ju bytes", lib->path, (uintmax_t)lib->file_size);
  ROW(f, "kind", "%s%s", kind_of(x), x->frozen ? ", initialised" : ", not initialised");
  ROW(f, "machine", "%s, %s", x->lib->machine->name, libc_of(x));
  ROW(f, "build-id", "%s", *lib->build_id ? lib->build_id : "none");
  ROW(f, "image", "0x%jx to 0x%jx", (uintmax_t)lib->lo, (uintmax_t)lib->hi);
  if (lib->preferred)
    ROW(f, "preferred base", "0x%jx", (uintmax_t)lib->preferred);
  else
    ROW(f, "preferred base", "none");
  ROW(f, ".data", "%ju bytes at 0x%jx", (uintmax_t)(note->bss - note->data), (uintmax_t)note->data);
  ROW(f, ".bss", "%ju bytes at 0x%jx", (uintmax_t)(note->heap - note->bss), (uintmax_t)note->bss);
  ROW(f, "heap", "%ju bytes%s at 0x%jx",
      (uintmax_t)(x->frozen ? note->heap_end - note->heap : note->heap_reserve),
      x->frozen ? "" : " in reserve", (uintmax_t)note->heap);
  if (x->frozen)
    print_frozen(f, x);
  ROW(f, "dynamic linker", "%zu words of the region", lib->slots.n);
  ROW(f, "pages", "%ju, of which a load writes %ju", (uintmax_t)x->pages, (uintmax_t)x->written);
}

/* as JSON */

static void json_recipe_line(void *context, const char *word, const char *argument)
{
  char *line = xprintf("%s %s", word, argument);
  json_array_append_new(context, json_text(line));
  free(line);
}

static void json_frozen(json_t *root, const struct facts *x)
{
  const struct urf_note *note = x->note;
  json_t *imports = json_array(), *protections = json_array(), *recipe = json_array();
  char *tool = tool_of(x);
  json_put(root, "tool", json_text(tool));
  free(tool);
  json_put(root, "align", json_number(note->align));
  json_put(root, "input_hash", json_hash(note->input_hash));
  json_put(root, "image_hash", json_hash(note->image_hash));
  json_put(root, "table", json_number(note->table_size));
  json_put(root, "origin", json_number(note->origin_size));
  json_put(root, "fixed", json_boolean(note->flags & URF_FIXED));
  json_put(root, "cpu", json_boolean(has_cpu(note)));
  json_put(root, "pages", json_boolean(note->flags & URF_PAGES));
  json_put(root, "fallback", json_string(note->fallback ? "init" : "fail"));
  json_put(root, "pointers", json_number(n_pointers(note)));
  json_put(root, "odd_pointers", json_number(note->n_odd));
  json_put(root, "rotated_pointers", json_number(note->n_rotated));
  json_put(root, "import_words", json_number(x->import_words));
  for (uint64_t i = 0; i < note->n_imports; i++) {
    struct urf_import import = get_import(x, i);
    json_array_append_new(imports, json_import(text_at(x, import.name), text_at(x, import.version),
                                               text_at(x, import.module), import.kind,
                                               import.addend, x->words[i]));
  }
  json_put(root, "imports", imports);
  for (uint64_t i = 0; i < note->n_protections; i++) {
    struct urf_protection p = get_protection(x, i);
    char prot[4];
    json_t *range = json_object();
    protection(p.prot, prot);
    json_put(range, "address", json_address(p.address));
    json_put(range, "size", json_number(p.size));
    json_put(range, "protection", json_string(prot));
    json_array_append_new(protections, range);
  }
  json_put(root, "protections", protections);
  recipe_each((const char *)x->lib->table + note->recipe, note->recipe_size, json_recipe_line,
              recipe);
  json_put(root, "recipe", recipe);
}

static void print_json(FILE *f, const struct facts *x)
{
  const struct library *lib = x->lib;
  const struct urf_note *note = x->note;
  json_t *root = json_object();
  json_put(root, "file", json_text(lib->path));
  json_put(root, "file_size", json_number(lib->file_size));
  json_put(root, "kind", json_string(kind_of(x)));
  json_put(root, "frozen", json_boolean(x->frozen));
  json_put(root, "format", json_number(note->format));
  json_put(root, "machine", json_string(lib->machine->name));
  json_put(root, "libc", json_string(libc_of(x)));
  json_put(root, "build_id", json_string(lib->build_id));
  json_put(root, "low", json_address(lib->lo));
  json_put(root, "high", json_address(lib->hi));
  json_put(root, "preferred", lib->preferred ? json_address(lib->preferred) : json_null());
  json_put(root, "data_address", json_address(note->data));
  json_put(root, "data", json_number(note->bss - note->data));
  json_put(root, "bss", json_number(note->heap - note->bss));
  if (x->frozen) {
    json_put(root, "heap", json_number(note->heap_end - note->heap));
    json_frozen(root, x);
  } else
    json_put(root, "heap_reserve", json_number(note->heap_reserve));
  json_put(root, "dynamic_linker_words", json_number(lib->slots.n));
  json_put(root, "pages", json_number(x->pages));
  json_put(root, "pages_written", json_number(x->written));
  json_print(f, root);
}

int info_print(FILE *f, const char *path, bool json, struct error *e)
{
  struct library lib = {0};
  struct facts x = {0};
  int status = library_read(&lib, path, e) || facts_init(&x, &lib, e) ? -1 : 0;
  if (!status && json)
    print_json(f, &x);
  else if (!status)
    print_text(f, &x);
  facts_free(&x);
  library_free(&lib);
  return status;
}
