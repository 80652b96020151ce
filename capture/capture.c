/* One process after init: the region's bytes, and all that is needed to tell what they mean. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "capture.h"

enum { PAGE = 4096, CHUNK = 64 * PAGE };

int capture_unexpected(const struct library *lib, const char *line, struct error *e)
{
  return line ? fail(e, SYSTEM, "%s: unexpected answer of the host program: %s", lib->path, line)
              : -1;
}

uint64_t capture_bias(const struct library *lib, uint64_t bias, uint64_t lo)
{
  return lib->form.word == 4 && bias > lo ? bias - ((uint64_t)1 << 32) : bias;
}

static void add_text(struct error *e, const char *more)
{
  char *text = xprintf("%s%s", e->text, more);
  free(e->text);
  e->text = text;
}

/* What to do, by what the dynamic linker says. */
static const char *loading_cure(const struct library *lib, const char *line)
{
  if (lib->static_tls && strstr(line, "TLS"))
    return "it wants its thread-local variables among those that a program starts with, where "
           "there is little room: "
           "compile it with -ftls-model=global-dynamic";
  if (strstr(line, "GLIBC_ABI_DT_RELR"))
    return "its linker does not ask glibc for that: link it without --pack-dyn-relocs=relr, or "
           "with ld.bfd, whose "
           "-z pack-relative-relocs does";
  return "with an empty environment; --env LD_LIBRARY_PATH=DIRECTORY is for a dependency that is "
         "found that way";
}

static int take_loaded(struct capture *c, const struct library *lib, struct error *e)
{
  const char *line = process_line(c->process, e);
  if (line && strcmp(line, "host") == 0) /* it has been started */
    line = process_line(c->process, e);
  if (line && strncmp(line, "system ", 7) == 0)
    return fail(e, SYSTEM, "%s", line + 7);
  if (line && strncmp(line, "error ", 6) == 0)
    return fail(e, REFUSED, "%s: cannot be loaded: %s (%s)", lib->path, line + 6,
                loading_cure(lib, line));
  if (!line && lib->libc == LIBC_MUSL && lib->relr)
    add_text(e, "; musl knows packed relocations (DT_RELR) from 1.2.4 on: link it without "
                "--pack-dyn-relocs=relr");
  if (!line || sscanf(line, "loaded %" SCNx64 " %" SCNx64, &c->bias, &c->frame) != 2)
    return capture_unexpected(lib, line, e);
  c->bias =
      capture_bias(lib, c->bias, lib->form.word == 4 ? (uint32_t)(c->bias + lib->lo) : c->bias);
  return 0;
}

/* Names the place when the function crashed inside the library. */
static int init_failed(struct capture *c, const struct library *lib, struct error *e)
{
  uint64_t at = process_fault(c->process) - c->bias;
  const struct symbol *s = at >= lib->lo && at < lib->hi ? library_symbol(lib, at) : NULL;
  if (s) {
    char *text = xprintf("\n  it was in %s+0x%" PRIx64, s->name, at - s->value);
    add_text(e, text);
    free(text);
  }
  return -1;
}

/* NULL when there is none of that name, or several are. */
static const struct symbol *only_function(const struct library *lib, const char *name)
{
  const struct symbol *found = NULL;
  for (size_t i = 0; i < lib->symbols.n; i++) {
    const struct symbol *s = &lib->symbols.at[i];
    if (!s->function || strcmp(s->name, name) != 0)
      continue;
    if (found)
      return NULL;
    found = s;
  }
  return found;
}

/* The request, owned by the caller, that has an init function run; name: its own.  A program does not export
 * its functions. */
static char *parse_init(const struct library *lib, const char *spec, char **name)
{
  const char *colon = strchr(spec, ':');
  bool result = !colon || strcmp(colon, ":void") != 0;
  const char *request = result ? "init" : "void";
  *name = xprintf("%.*s", result ? (int)strlen(spec) : (int)(colon - spec), spec);
  const struct symbol *s = lib->is_program ? only_function(lib, *name) : NULL;
  return s ? xprintf("%s @%" PRIx64, request, s->value) : xprintf("%s %s", request, *name);
}

/* The answer when a library does not export the function: when there is one of that name all the same. */
static const char *ask_hidden(struct capture *c, const struct library *lib, const char *name,
                              const char *spec, struct error *e)
{
  const struct symbol *s = only_function(lib, name);
  return s ? process_ask(c->process, e, "%s @%" PRIx64, strchr(spec, ':') ? "void" : "init",
                         s->value)
           : "missing";
}

/* asked: it is running already. */
static int run_init(struct capture *c, const struct library *lib, const char *spec, bool asked,
                    struct error *e)
{
  char *name, *request = parse_init(lib, spec, &name);
  process_doing(c->process, "init function %s", name);
  const char *line =
      asked ? process_line(c->process, e) : process_ask(c->process, e, "%s", request);
  uint64_t at;
  int value, status = 0;
  const bool hidden = line && strcmp(line, "missing") == 0;
  if (hidden)
    line = ask_hidden(c, lib, name, spec, e);
  if (!line)
    status = init_failed(c, lib, e);
  else if (strcmp(line, "missing") == 0)
    status =
        fail(e, REFUSED,
             "%s: has no function %s, or several and exports none; export it (-flto: keep it with "
             "-Wl,-u,%s), or name the one to run with --init SYMBOL",
             lib->path, name, name);
  else if (sscanf(line, "result %d %" SCNx64, &value, &at) != 2)
    status = capture_unexpected(lib, line, e);
  else if (value)
    status = fail(e, REFUSED,
                  "%s: init function %s returned %d, where 0 says that all went well "
                  "(--init %s:void is for a function without a result)",
                  lib->path, name, value, name);
  else
    *PUSH(&c->inits) = (struct init){at - c->bias, hidden};
  free(request);
  free(name);
  return status;
}

static int run_inits(struct capture *c, const struct options *o, const struct library *lib,
                     struct error *e)
{
  for (size_t i = 0; i < o->inits.n; i++)
    if (run_init(c, lib, o->inits.at[i], c->ahead && !i, e))
      return -1;
  return 0;
}

/* As in madvise(2); newer ones than the C library may know. */
static const char *advice_name(unsigned long advice)
{
  return advice == MADV_WIPEONFORK ? "MADV_WIPEONFORK"
         : advice == MADV_DONTFORK ? "MADV_DONTFORK"
         : advice == MADV_DONTNEED ? "MADV_DONTNEED, for a file's pages that are writable"
         : advice == 102           ? "MADV_GUARD_INSTALL"
                                   : "advice";
}

/* What the end of a capture has shown that cannot be frozen. */
static int check_sealed(const struct library *lib, const struct sealed *s, struct error *e)
{
  if (s->missing && !s->strayed) {
    uint64_t enough = lib->note.heap_reserve + s->missing;
    enough += enough / 64 + 2 * PAGE - enough % PAGE;
    enough -= enough % PAGE;
    return fail(e, REFUSED,
                "%s: the reserve of the heap, %" PRIu64 " bytes, is too small for what init "
                "allocates; link with -Wl,--defsym=__urf_heap_size=0x%" PRIx64,
                lib->path, lib->note.heap_reserve, enough);
  }
  if (s->refused)
    return fail(
        e, REFUSED,
        "%s: init gave memory that lies in the image an advice that a frozen library cannot "
        "follow (madvise with %s, %lu); give it after the load",
        lib->path, advice_name(s->refused), s->refused);
  if (s->threads > 1)
    return fail(e, REFUSED,
                "%s: %ld thread%s still running that init started; a frozen library has none: "
                "start threads later, or end them before init or URF_ON_FREEZE returns",
                lib->path, s->threads - 1, s->threads == 2 ? " is" : "s are");
  return 0;
}

static int seal(struct capture *c, const struct library *lib, bool live, struct sealed *s,
                struct error *e)
{
  process_doing(c->process, "a function of URF_ON_FREEZE, or the end of the capture,");
  const char *line = process_ask(c->process, e, "seal");
  int has_hooks;
  const bool frozen = line && sscanf(line, "frozen %" SCNx64 " %" SCNx64, &c->tls, &c->thread) == 2;
  if (frozen && live)
    return fail(e, REFUSED,
                "%s: did not report to the host program; link it again, with the liburf.a and "
                "urf.ld of this turf",
                lib->path);
  if (frozen)
    return 0;
  if (!line || !live ||
      sscanf(line,
             "sealed %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
             " %" SCNx64 " %ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %lu %d %u %" SCNu64,
             &s->top, &s->missing, &s->align, &s->blocks, &s->n_blocks, &s->allocations,
             &s->n_allocations, &s->threads, &c->thread, &c->tls, &c->tls_size, &s->refused,
             &has_hooks, &s->strayed, &s->strayed_at) != 15)
    return capture_unexpected(lib, line, e);
  c->has_hooks = has_hooks;
  c->strayed = s->strayed;
  c->strayed_at = s->strayed_at;
  return check_sealed(lib, s, e);
}

/* One line of /proc/PID/maps, proc_pid_maps(5).  Returns its last field, NULL when it is no such
 * line. */
static const char *parse_mapping(struct mapping *m, const char *line)
{
  char prot[8];
  int name = 0;
  if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n", &m->lo, &m->hi, prot,
             &m->offset, &name) != 4)
    return NULL;
  m->prot = (prot[0] == 'r' ? PROT_READ : 0) | (prot[1] == 'w' ? PROT_WRITE : 0) |
            (prot[2] == 'x' ? PROT_EXEC : 0);
  const char *what = name ? line + name : "", *slash = strrchr(what, '/');
  snprintf(m->what, sizeof m->what, "%s", slash ? slash + 1 : what);
  return what;
}

/* What init mapped over the region from elsewhere: shared memory or another file.  name is the last
 * field of the line. */
static bool is_foreign(const struct capture *c, const struct library *lib, const struct mapping *m,
                       const char *line, const char *name)
{
  const uint64_t lo = c->bias + lib->note.data, hi = lo + c->size;
  if (m->hi <= lo || m->lo >= hi)
    return false;
  return strchr(line, ' ')[4] == 's' || (*name && strcmp(name, process_path(c->process)) != 0);
}

static void note_protection(struct capture *c, const struct library *lib, const struct mapping *m)
{
  const uint64_t lo = c->bias + lib->note.data, hi = lo + c->size;
  if (m->prot == (PROT_READ | PROT_WRITE) || m->hi <= lo || m->lo >= hi)
    return;
  uint64_t from = m->lo > lo ? m->lo : lo, to = m->hi < hi ? m->hi : hi;
  *PUSH(&c->protections) = (struct urf_protection){from - c->bias, to - from, m->prot, 0};
}

static int take_maps(struct capture *c, const struct library *lib, struct error *e)
{
  const char *line = process_ask(c->process, e, "maps");
  for (; line && strcmp(line, "end") != 0; line = process_line(c->process, e)) {
    struct mapping m;
    const char *name = parse_mapping(&m, line);
    if (!name)
      break;
    *PUSH(&c->mappings) = m;
    if (is_foreign(c, lib, &m, line, name))
      return fail(e, REFUSED,
                  "%s: init mapped shared memory or a file (%s) over a part of the library's data; "
                  "do so after the load",
                  lib->path, m.what);
    note_protection(c, lib, &m);
  }
  return line && strcmp(line, "end") == 0 ? 0 : capture_unexpected(lib, line, e);
}

/* The image in front of the region, against what it was before the library's constructors. */
static int check_front(struct capture *c, const struct library *lib, struct error *e)
{
  uint64_t at;
  const char *line = process_ask(c->process, e, "front");
  if (!line || sscanf(line, "front %" SCNx64, &at) != 1)
    return capture_unexpected(lib, line, e);
  if (at == 1)
    return fail(e, SYSTEM, "%s: no memory for a copy of its code", lib->path);
  if (!at)
    return 0;
  const struct symbol *symbol = library_symbol(lib, at - c->bias);
  return fail(
      e, REFUSED,
      "%s: init, or a constructor, changed the library outside .data and .bss, at 0x%" PRIx64
      " (%s), which is not frozen; keep such state in an ordinary variable",
      lib->path, at - c->bias, symbol ? symbol->name : "no symbol");
}

static void take_made(struct capture *c)
{
  size_t n;
  const struct made *made = process_made(c->process, &n);
  for (size_t i = 0; i < n; i++)
    *PUSH(&c->made) = made[i];
}

static int take_world(struct capture *c, struct error *e)
{
  const char *line = process_ask(c->process, e, "world");
  for (; line && (*line == '+' || *line == '-'); line = process_line(c->process, e))
    *PUSH(&c->world) = xstrdup(line);
  return line && strcmp(line, "end") == 0 ? 0 : capture_unexpected(c->lib, line, e);
}

static int take_cpu(struct capture *c, struct error *e)
{
  const char *line = process_ask(c->process, e, "cpu");
  for (size_t i = 0; i < URF_CPU_WORDS; i++) {
    if (!line || sscanf(line, "%" SCNx32, &c->cpu[i]) != 1)
      return capture_unexpected(c->lib, line, e);
    line = i + 1 < URF_CPU_WORDS ? process_line(c->process, e) : line;
  }
  return 0;
}

int capture_thaw(struct capture *c, struct error *e)
{
  process_doing(c->process, "a function of URF_ON_THAW");
  const char *line = process_ask(c->process, e, "thaw");
  return line && strcmp(line, "thawed") == 0 ? 0 : capture_unexpected(c->lib, line, e);
}

int capture_read(struct capture *c, uint64_t address, uint64_t size, unsigned char *out,
                 struct error *e)
{
  return capture_ask_bytes(c, c->bias + address, size, e) || process_read(c->process, out, size, e)
             ? -1
             : 0;
}

static int take_stacks(struct capture *c, struct error *e)
{
  const char *line = process_ask(c->process, e, "stacks");
  for (int n = 0; line && sscanf(line, "stack %*u%n", &n) == 0 && n;
       line = process_line(c->process, e), n = 0) {
    struct stack *s = PUSH(&c->stacks);
    *s = (struct stack){.allocation = strtoul(line + strlen("stack "), NULL, 10)};
    uint64_t frame;
    for (const char *at = line + n; sscanf(at, " %" SCNx64 "%n", &frame, &n) == 1; at += n)
      *PUSH(&s->frames) = frame;
  }
  return line && strcmp(line, "end") == 0 ? 0 : capture_unexpected(c->lib, line, e);
}

static void begin(struct capture *c, const struct options *o, const struct library *lib,
                  const char *path, const struct setting *setting, struct error *e)
{
  *c = (struct capture){.lib = lib, .seed = setting->seed, .align = setting->align};
  c->process = process_start(o, lib, path, setting, e);
}

void capture_ahead(struct capture *c, const struct options *o, const struct library *lib,
                   const char *path, const struct setting *setting, bool init)
{
  struct error ignored = {0};
  char *name;
  begin(c, o, lib, path, setting, &ignored);
  c->ahead = c->process != NULL;
  if (c->ahead && init && o->inits.n) {
    char *request = parse_init(lib, o->inits.at[0], &name);
    process_send(c->process, "%s", request);
    free(request);
    free(name);
  }
  error_free(&ignored);
}

static int finish(struct capture *c, const struct options *o, const struct library *lib,
                  const struct setting *setting, const struct region *first, bool init,
                  struct module_cache *cache, struct error *e)
{
  struct sealed s = {0};
  if (!c->process || take_loaded(c, lib, e) || (init && run_inits(c, o, lib, e)) ||
      seal(c, lib, init, &s, e) || (init && (check_front(c, lib, e) || take_cpu(c, e))) ||
      (setting->watched && take_world(c, e)))
    return -1;
  process_doing(c->process, "the process that init ran in");
  c->size = init ? s.top - c->bias - lib->note.data : lib->note.heap_end - lib->note.data;
  if (init && s.align > c->align)
    c->align = s.align;
  take_made(c);
  if (capture_modules(c, lib, cache, e) || take_maps(c, lib, e) || capture_region(c, first, e) ||
      (init && capture_release(c, setting, e)) ||
      (setting->books & BOOK_BLOCKS && capture_blocks(c, &s, e)) ||
      (setting->books & BOOK_ALLOCATIONS && capture_allocations(c, &s, e)) ||
      (setting->stacks && take_stacks(c, e)))
    return -1;
  const uint64_t books = capture_books(&s, setting);
  c->used -= books < c->used ? books : c->used;
  return setting->books ? capture_forget(c, e) : 0;
}

/* Whether what has failed did so while others were under way, which have come to their ends now. */
static bool is_to_repeat(struct capture *c, struct error *e)
{
  if (!c->ahead || e->status != REFUSED)
    return false;
  error_free(e);
  capture_free(c);
  process_settle(3); /* that it is there, and has loaded it, and what init came to */
  return true;
}

int capture_take(struct capture *c, const struct options *o, const struct library *lib,
                 const char *path, const struct setting *setting, const struct region *first,
                 bool init, struct module_cache *cache, struct error *e)
{
  if (!c->ahead)
    begin(c, o, lib, path, setting, e);
  int status = finish(c, o, lib, setting, first, init, cache, e);
  if (status && is_to_repeat(c, e)) {
    begin(c, o, lib, path, setting, e);
    status = finish(c, o, lib, setting, first, init, cache, e);
  }
  c->was_ahead = c->ahead;
  c->ahead = false;
  return status;
}

int capture_fall_back(struct capture *c, const struct options *o, const struct library *lib,
                      const char *path, unsigned seed, struct error *e)
{
  const struct setting setting = {.seed = seed, .align = lib->align};
  if (!c->ahead)
    begin(c, o, lib, path, &setting, e);
  int status = !c->process || take_loaded(c, lib, e) ? -1 : 0;
  if (status && is_to_repeat(c, e)) {
    begin(c, o, lib, path, &setting, e);
    status = !c->process || take_loaded(c, lib, e) ? -1 : 0;
  }
  capture_free(c);
  return status;
}

void capture_free(struct capture *c)
{
  process_end(c->process);
  region_free(&c->region);
  for (size_t i = 0; i < c->modules.n; i++)
    free(c->modules.at[i].path);
  free(c->modules.at);
  for (size_t i = 0; i < c->world.n; i++)
    free(c->world.at[i]);
  free(c->world.at);
  for (size_t i = 0; i < c->stacks.n; i++)
    free(c->stacks.at[i].frames.at);
  free(c->stacks.at);
  free(c->mappings.at);
  free(c->made.at);
  free(c->blocks.at);
  free(c->mapped.at);
  free(c->allocations.at);
  free(c->protections.at);
  free(c->inits.at);
  error_free(&c->lost);
  *c = (struct capture){0};
}

static uint64_t read_address(struct capture *c, uint64_t at)
{
  unsigned char bytes[8] = {0};
  if (capture_ask_bytes(c, at, c->lib->form.word, &c->lost) ||
      process_read(c->process, bytes, c->lib->form.word, &c->lost))
    return 0;
  return get_word(bytes, c->lib->form);
}

uint64_t capture_resolve(struct capture *c, const char *name, const char *version, uint64_t slot,
                         bool held)
{
  uint64_t address = 0;
  if (c->lost.text)
    return 0;
  if (slot) {
    address = read_address(c, c->bias + slot);
    return held && address ? read_address(c, address) : address;
  }
  const char *line = process_ask(c->process, &c->lost, "%s %s %s", held ? "held" : "resolve", name,
                                 *version ? version : "-");
  if (line && sscanf(line, "at %" SCNx64, &address) != 1)
    (void)capture_unexpected(c->lib, line, &c->lost);
  return address;
}

int capture_undefined(struct capture *c, unsigned char *bits, size_t size, struct error *e)
{
  const char *line = process_ask(c->process, e, "undefined %" PRIx64 " %" PRIx64,
                                 c->bias + c->lib->note.data, (uint64_t)size);
  return line && strcmp(line, "bits") == 0 ? process_read(c->process, bits, size, e)
                                           : capture_unexpected(c->lib, line, e);
}

int capture_lost(const struct capture *c, struct error *e)
{
  return c->lost.text ? fail(e, c->lost.status, "%s", c->lost.text) : 0;
}

static int keep_part(const char *dir, const char *part, int number, const struct region *region,
                     size_t from, size_t to, struct error *e)
{
  unsigned char *bytes = xalloc(CHUNK);
  char *path = xprintf("%s/%s%d", dir, part, number);
  FILE *f = fopen(path, "we");
  int status = f ? 0 : fail_errno(e, path, "cannot be written");
  for (size_t at = from, n; at < to && !status; at += n) {
    n = to - at < CHUNK ? to - at : CHUNK;
    region_read(region, at, n, bytes);
    if (fwrite(bytes, 1, n, f) != n)
      status = fail_errno(e, path, "cannot be written");
  }
  if (f && fclose(f) && !status)
    status = fail_errno(e, path, "cannot be written");
  free(path);
  free(bytes);
  return status;
}

int capture_keep(const struct capture *c, const struct library *lib, const char *dir, int number,
                 struct error *e)
{
  size_t heap = lib->note.heap - lib->note.data;
  if (mkdir(dir, 0777) && errno != EEXIST)
    return fail_errno(e, dir, "cannot be made");
  return keep_part(dir, "data", number, &c->region, 0, heap, e) ||
                 keep_part(dir, "heap", number, &c->region, heap, c->size, e)
             ? -1
             : 0;
}
