/* Pointers that leave the library: where they lead in this process. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

#include "loader.h"

#define NOTE (&__urf_note)

static void *look_in_module(const char *module, const char *name, const char *version)
{
  void *handle = dlopen(module, RTLD_LAZY | RTLD_NOLOAD), *p = 0;
  if (handle && *version && dlvsym_or_null)
    p = dlvsym_or_null(handle, name, version);
  if (handle && !p)
    p = dlsym(handle, name);
  if (handle)
    dlclose(handle);
  return p;
}

static int in_one_module(const void *a, const void *b)
{
  Dl_info in_a, in_b;
  return dladdr(a, &in_a) && dladdr(b, &in_b) && in_a.dli_fbase == in_b.dli_fbase;
}

/* What a reference of the library's own would be bound to.  A definition without a version satisfies
 * one that names a version, but dlvsym passes it over: where the two differ nothing tells. */
static void *look_in_process(const char *name, const char *version, struct reason *why)
{
  void *p = dlsym(RTLD_DEFAULT, name), *q = p;
  if (p && *version && dlvsym_or_null)
    q = dlvsym_or_null(RTLD_DEFAULT, name, version);
  if (p && q && p != q && !in_one_module(p, q))
    because(why, "another module of this process has", name);
  return q ? q : p;
}

/* The dynamic linker has bound references of the library to what has a slot.  Else by name: in the
 * process, then (musl's RTLD_DEFAULT does not see a library's own dependencies) in the module that had
 * it when the library was frozen.  What the library does not refer to itself, a pointer handed out by
 * that module, may mean either. */
static uintptr_t look_up(const struct image *image, const struct urf_import *import,
                         struct reason *why)
{
  const char *name = image->table + import->name, *version = image->table + import->version;
  const char *module = image->table + import->module;
  const int held = import->kind == URF_IMPORT_VALUE || import->kind == URF_IMPORT_SAME_VALUE;
  void *p = 0, *q = 0;
  if (import->slot) {
    p = *(void **)((uintptr_t)import->slot + image->bias);
  } else {
    p = look_in_process(name, version, why);
    if (*module && (!p || import->kind == URF_IMPORT_MODULE))
      q = look_in_module(module, name, version);
  }
  if (p && q && p != q)
    because(why, "another module of this process has", name);
  p = p ? p : q;
  if (!p)
    because(why, "no module of this process has the symbol", name);
  forget_error();
  return p && held ? *(uintptr_t *)p : (uintptr_t)p;
}

/* Where the library's own symbol is to this process: perhaps in another module. */
static uintptr_t look_for_own(const struct image *image, const struct urf_import *import)
{
  if (import->slot)
    return *(uintptr_t *)((uintptr_t)import->slot + image->bias);
  void *p = dlsym(RTLD_DEFAULT, image->table + import->name);
  forget_error();
  return p ? (uintptr_t)p : (uintptr_t)import->addend + image->bias;
}

/* A module by its build-id, for dl_iterate_phdr. */
struct wanted {
  const char *id; /* hex */
  uintptr_t bias;
  int found;
};

/* Whether the notes (gABI) of a segment, aligned to 4 or 8 bytes, have the build-id. */
static int has_build_id(const ElfW(Phdr) * ph, uintptr_t bias, const char *id)
{
  const uintptr_t align = ph->p_align == 8 ? 7 : 3, end = bias + ph->p_vaddr + ph->p_memsz;
  for (uintptr_t at = bias + ph->p_vaddr; end - at > sizeof(ElfW(Nhdr));) {
    const ElfW(Nhdr) *n = (const void *)at;
    const uintptr_t name = at + sizeof *n, desc = (name + n->n_namesz + align) & ~align;
    const unsigned char *byte = (const void *)desc;
    size_t i = 0;
    if (desc > end || n->n_descsz > end - desc)
      return 0;
    if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && !memcmp((void *)name, "GNU", 4)) {
      while (i < n->n_descsz && id[2 * i] == "0123456789abcdef"[byte[i] >> 4] &&
             id[2 * i + 1] == "0123456789abcdef"[byte[i] & 15])
        i++;
      return i == n->n_descsz && !id[2 * i];
    }
    at = (desc + n->n_descsz + align) & ~align;
    if (at > end)
      return 0;
  }
  return 0;
}

static int see_module(struct dl_phdr_info *info, size_t size, void *arg)
{
  struct wanted *w = arg;
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_NOTE &&
        has_build_id(&info->dlpi_phdr[i], info->dlpi_addr, w->id)) {
      w->bias = info->dlpi_addr;
      w->found++;
      break;
    }
  return 0;
}

/* The bias of the one module that turf saw; offsets in it are the same. */
static uintptr_t look_for_module(const struct image *image, const struct urf_import *import,
                                 struct reason *why)
{
  struct wanted w = {image->table + import->version, 0, 0};
  (void)dl_iterate_phdr(see_module, &w);
  if (w.found != 1)
    because(why, "it has pointers into one build of", image->table + import->module);
  return w.bias;
}

static void store(const struct image *image, const struct urf_import *import, uintptr_t value,
                  int moves)
{
  const unsigned char *list = (const unsigned char *)image->table + import->sites;
  const unsigned char *end = list + import->sites_size;
  uintptr_t at = image->region;
  while (list < end) {
    at += get_uleb(&list);
    must_hold(image, at, "imports");
    struct word *word = (void *)at;
    word->value = moves ? word->value + value : value;
  }
}

/* The frozen pointers to the library's own symbol would be wrong when another module's takes its place
 * (a preloaded one, a program's copy of a variable).  A program's copy of what is frozen has been taken
 * before the relocation: init could not help there. */
static void must_be_own(const struct image *image, const struct urf_import *import,
                        struct reason *why)
{
  const uintptr_t own = (uintptr_t)import->addend + image->bias;
  because(why, "another module of this process has its symbol", image->table + import->name);
  if (look_for_own(image, import) == own)
    *why = (struct reason){0};
  else if (own - image->region < image->region_end - image->region)
    thaw_fail(why->what, why->which);
}

uintptr_t follow_distance(const struct image *image, const struct urf_import *import)
{
  const uintptr_t own = look_for_own(image, import);
  if (!own)
    damaged("slots");
  return own - (uintptr_t)import->addend;
}

/* Where the import leads, less its addend; before: what the one before it found. */
static uintptr_t find(const struct image *image, const struct urf_import *import, uintptr_t before,
                      struct reason *why)
{
  const char *name = image->table + import->name;
  uintptr_t found = 0;
  switch (import->kind) {
  case URF_IMPORT_OWN: must_be_own(image, import, why); break;
  case URF_IMPORT_THREAD: found = (uintptr_t)HOST(pthread_self)(); break;
  case URF_IMPORT_TLS:
    found = (uintptr_t)tls_block();
    if (!found)
      because(why, "no thread-local variables", "");
    break;
  case URF_IMPORT_OFFSET: found = look_for_module(image, import, why); break;
  case URF_IMPORT_FOLLOW: found = follow_distance(image, import) + (uintptr_t)import->addend; break;
  case URF_IMPORT_SAME:
  case URF_IMPORT_SAME_VALUE:
    if (look_up(image, import, why) + (uintptr_t)import->addend != before && !why->what)
      because(why, "it was frozen where this was the same as another symbol:", name);
    return before;
  default: found = look_up(image, import, why); break;
  }
  return found;
}

void copies_hold(const struct image *image)
{
  const struct urf_import *import = (const void *)(image->table + NOTE->imports);
  struct reason why;
  for (uint64_t i = 0; i < NOTE->n_imports; i++)
    if (import[i].kind == URF_IMPORT_OWN)
      must_be_own(image, &import[i], &why);
}

int imports_hold(const struct image *image, struct reason *why)
{
  const struct urf_import *import = (const void *)(image->table + NOTE->imports);
  uintptr_t found = 0;
  for (uint64_t i = 0; i < NOTE->n_imports && !why->what; i++)
    found = find(image, &import[i], found, why);
  return !why->what;
}

/* One is stored before the next is looked up. */
void imports_bind(const struct image *image)
{
  const struct urf_import *import = (const void *)(image->table + NOTE->imports);
  struct reason why = {0};
  uintptr_t found = 0;
  for (uint64_t i = 0; i < NOTE->n_imports; i++, import++) {
    found = find(image, import, found, &why);
    if (why.what)
      thaw_fail(why.what, why.which);
    if (import->kind != URF_IMPORT_FOLLOW)
      store(image, import, found + (uintptr_t)import->addend, 0);
    else if (found != (uintptr_t)import->addend)
      store(image, import, found - (uintptr_t)import->addend, 1);
  }
}
