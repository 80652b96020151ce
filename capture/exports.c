/* The symbols that a module offers. */

#include <stdlib.h>
#include <string.h>

#include "file.h"

static bool is_export(const struct dynsym *s)
{
  int type = GELF_ST_TYPE(s->sym.st_info);
  return *s->name && GELF_ST_BIND(s->sym.st_info) != STB_LOCAL && s->sym.st_shndx != SHN_UNDEF &&
         s->sym.st_shndx != SHN_ABS && /* the names of versions */
         (type == STT_FUNC || type == STT_OBJECT || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

static int by_value(const void *a, const void *b)
{
  const struct export *x = a, *y = b;
  if (x->value != y->value)
    return x->value < y->value ? -1 : 1;
  int order = strcmp(x->name, y->name);
  return order ? order : strcmp(x->version, y->version);
}

static int read_exports(struct exports *x, const struct elf_file *f)
{
  struct dynsym s;
  for (int i = 1; i < f->n_symbols; i++) {
    if (file_dynsym(f, i, &s))
      return -1;
    if (!is_export(&s))
      continue;
    int type = GELF_ST_TYPE(s.sym.st_info);
    *PUSH(&x->list) = (struct export){
        .name = xstrdup(s.name),
        .version = xstrdup(s.version),
        .value = s.sym.st_value,
        .size = s.sym.st_size,
        .standard = !s.hidden,
        .kind = type == STT_FUNC        ? EXPORT_FUNCTION
                : type == STT_GNU_IFUNC ? EXPORT_IFUNC
                                        : EXPORT_OBJECT,
    };
  }
  if (x->list.n)
    qsort(x->list.at, x->list.n, sizeof *x->list.at, by_value);
  return 0;
}

int exports_read(struct exports *x, const char *path, struct error *e)
{
  struct elf_file f;
  uint64_t name;
  int i = 0;
  *x = (struct exports){0};
  int result = file_open(&f, path, e) || read_exports(x, &f) ? -1 : 0;
  if (!result && file_tag(&f, DT_SONAME, &i, &name) && file_string(&f, name))
    snprintf(x->soname, sizeof x->soname, "%s", file_string(&f, name));
  if (!result)
    file_build_id(&f, x->build_id);
  file_close(&f);
  if (result)
    exports_free(x);
  return result;
}

void exports_free(struct exports *x)
{
  if (!x)
    return;
  for (size_t i = 0; i < x->list.n; i++) {
    free(x->list.at[i].name);
    free(x->list.at[i].version);
  }
  free(x->list.at);
  *x = (struct exports){0};
}
