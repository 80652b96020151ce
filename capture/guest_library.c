/* A library as the guest of the host program. */

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "tls_get.h"

enum { PAGE = 4096 };

const int guest_is_program = 0;
static void *library;
static const struct link_map *map;

const char *guest_load(const char *path, char **argv, struct urf_host *handshake,
                       void (*ready)(void))
{
  struct link_map *found;
  (void)argv, (void)handshake; /* which the loader asks the dynamic linker for */
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library || dlinfo(library, RTLD_DI_LINKMAP, &found))
    return dlerror();
  map = found;
  ready();
  return NULL;
}

void guest_enter(void) {}

void guest_leave(void) {}

uintptr_t guest_bias(void)
{
  return map->l_addr;
}

uintptr_t guest_thread(void)
{
  return (uintptr_t)pthread_self();
}

/* The library's own: dlsym finds those of its dependencies as well. */
void *guest_function(const char *name)
{
  Dl_info info;
  if (*name == '@')
    return (void *)(strtoul(name + 1, NULL, 16) + map->l_addr);
  void *init = dlsym(library, name);
  return init && dladdr(init, &info) && strcmp(info.dli_fname, map->l_name) == 0 ? init : NULL;
}

/* What is asked of dl_iterate_phdr: the library's thread-local variables in this thread. */
struct tls {
  const struct link_map *map;
  const void *block;
  size_t size, module;
};

static int see_tls(struct dl_phdr_info *info, size_t size, void *arg)
{
  struct tls *tls = arg;
  if (info->dlpi_addr != tls->map->l_addr || strcmp(info->dlpi_name, tls->map->l_name) != 0 ||
      size < offsetof(struct dl_phdr_info, dlpi_tls_data) + sizeof info->dlpi_tls_data)
    return 0;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_TLS)
      tls->size = info->dlpi_phdr[i].p_memsz;
  tls->block = info->dlpi_tls_data;
  tls->module = info->dlpi_tls_modid;
  return 1;
}

static const void *ask_for_tls(size_t module)
{
  unsigned long index[2] = {module, 0ul - URF_DTV_OFFSET};
  void *get = dlsym(RTLD_DEFAULT, URF_TLS_GET);
  return get ? machine_tls_get(get, index) : NULL;
}

const void *guest_module_tls(size_t module, const void *said)
{
  return said && URF_DTV_OFFSET ? ask_for_tls(module) : said;
}

/* The dynamic linker may say so only when asked for a variable. */
const void *guest_tls(size_t *size)
{
  struct tls tls = {map, NULL, 0, 0};
  dl_iterate_phdr(see_tls, &tls);
  *size = tls.size;
  const void *block = guest_module_tls(tls.module, tls.block);
  return block || !tls.module ? block : ask_for_tls(tls.module);
}

/* Found in the process, or at least by the library. */
void *guest_symbol(const char *name, const char *version)
{
  void *p = NULL;
#ifdef __GLIBC__
  if (strcmp(version, "-") != 0) {
    p = dlvsym(RTLD_DEFAULT, name, version);
    if (!p)
      p = dlvsym(library, name, version);
  }
#else
  (void)version;
#endif
  if (!p)
    p = dlsym(RTLD_DEFAULT, name);
  return p ? p : dlsym(library, name);
}

static int say_module(struct dl_phdr_info *info, size_t size, void *arg)
{
  void (**say)(uintptr_t, uintptr_t, uintptr_t, const char *) = arg;
  (void)size;
  uintptr_t lo = UINTPTR_MAX, hi = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
    if (ph->p_type != PT_LOAD)
      continue;
    if (ph->p_vaddr < lo)
      lo = ph->p_vaddr;
    if (ph->p_vaddr + ph->p_memsz > hi)
      hi = ph->p_vaddr + ph->p_memsz;
  }
  if (lo < hi)
    (*say)(info->dlpi_addr, info->dlpi_addr + (lo & ~(uintptr_t)(PAGE - 1)), info->dlpi_addr + hi,
           info->dlpi_name);
  return 0;
}

void guest_modules(void (*say)(uintptr_t bias, uintptr_t lo, uintptr_t hi, const char *path))
{
  dl_iterate_phdr(say_module, &say);
}
