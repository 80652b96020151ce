/* The library's thread-local variables: what init has made of them in its thread is frozen, and put
 * into those of the thread that loads the library. */

#define _GNU_SOURCE
#include <link.h>
#include <string.h>

#include "loader.h"
#include "tls_get.h"

#define NOTE (&__urf_note)

/* A copy of the variables, allocated by tls_seal, as policies call it; NULL when init has left them as they
 * were. */
static void *saved;

struct block {
  const char *image; /* what they start as: filled bytes, then zeros */
  char *at;          /* of the calling thread; NULL while the dynamic linker has not made it */
  size_t filled, size, module;
};

/* dl_iterate_phdr's callback; ends at the library itself. */
static int see(struct dl_phdr_info *info, size_t size, void *arg)
{
  struct block *b = arg;
  const ElfW(Phdr) *ph = info->dlpi_phdr, *end = ph + info->dlpi_phnum, *tls = 0;
  int own = 0;
  for (; ph < end; ph++) {
    own |= ph->p_type == PT_LOAD && (uintptr_t)NOTE - (info->dlpi_addr + ph->p_vaddr) < ph->p_memsz;
    tls = ph->p_type == PT_TLS ? ph : tls;
  }
  if (own && tls && size >= sizeof *info)
    *b = (struct block){(const char *)(info->dlpi_addr + tls->p_vaddr), info->dlpi_tls_data,
                        tls->p_filesz, tls->p_memsz, info->dlpi_tls_modid};
  return own;
}

/* What musl says (1.2.3, dl_iterate_phdr) is URF_DTV_OFFSET too much: asked for the address of such a variable it says
 * the right one. */
void *tls_block(void)
{
  struct block b = {0};
  unsigned long index[2];
  void *slot = 0;
  (void)dl_iterate_phdr(see, &b);
  index[0] = b.module;
  index[1] = 0ul - URF_DTV_OFFSET;
  if ((!b.at || URF_DTV_OFFSET) && b.module && host_find(&slot, URF_TLS_GET))
    b.at = machine_tls_get(slot, index);
  return b.at;
}

void tls_seal(void)
{
  struct block b = {0};
  (void)dl_iterate_phdr(see, &b);
  b.at = tls_block(); /* code of the initial-exec model does not tell the dynamic linker */
  size_t at = 0;
  while (b.at && at < b.size && b.at[at] == (at < b.filled ? b.image[at] : 0))
    at++;
  if (b.at && at < b.size && (saved = urf_malloc(b.size, (void *)(uintptr_t)tls_seal)))
    memcpy(saved, b.at, b.size);
}

void tls_replay(void)
{
  struct block b = {0};
  if (!saved)
    return;
  (void)dl_iterate_phdr(see, &b);
  void *block = tls_block();
  if (!block)
    thaw_fail("cannot be used here: no thread-local variables", "");
  memcpy(block, saved, b.size);
}
