/* The modules of a captured process, and what they export: files are read once for all processes. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

enum { PAGE = 4096 };

struct module_cache {
  LIST(struct cached {
    char *path;
    struct exports *exports;
  })
  files;
};

struct module_cache *module_cache_new(void)
{
  return xalloc(sizeof(struct module_cache));
}

void module_cache_free(struct module_cache *c)
{
  if (!c)
    return;
  for (size_t i = 0; i < c->files.n; i++) {
    exports_free(c->files.at[i].exports);
    free(c->files.at[i].exports);
    free(c->files.at[i].path);
  }
  free(c->files.at);
  free(c);
}

/* NULL for what cannot be read: no symbol of it is known then. */
static const struct exports *exports_of(struct module_cache *cache, const char *path)
{
  for (size_t i = 0; i < cache->files.n; i++)
    if (strcmp(cache->files.at[i].path, path) == 0)
      return cache->files.at[i].exports;
  struct error ignored = {0};
  struct exports *x = xalloc(sizeof *x);
  if (exports_read(x, path, &ignored)) {
    error_free(&ignored);
    exports_free(x);
    free(x);
    x = NULL;
  }
  *PUSH(&cache->files) = (struct cached){xstrdup(path), x};
  return x;
}

int capture_modules(struct capture *c, const struct library *lib, struct module_cache *cache,
                    struct error *e)
{
  const char *line = process_ask(c->process, e, "modules");
  for (bool first = true; line && strcmp(line, "end") != 0; first = false) {
    struct module m = {0};
    int name = 0;
    if (sscanf(line, "module %" SCNx64 " %" SCNx64 " %" SCNx64 " %n", &m.bias, &m.lo, &m.hi,
               &name) != 3)
      break;
    m.bias = capture_bias(lib, m.bias, m.lo);
    if (first) { /* the program comes first under both libcs */
      c->host_lo = m.lo;
      c->host_hi = m.hi;
    } else if (line[name] == '/' && m.lo != ((c->bias + lib->lo) & ~(uint64_t)(PAGE - 1))) {
      m.path = xstrdup(line + name);
      m.exports = exports_of(cache, m.path);
      *PUSH(&c->modules) = m;
    }
    line = process_line(c->process, e);
  }
  return line && strcmp(line, "end") == 0 ? 0 : capture_unexpected(lib, line, e);
}
