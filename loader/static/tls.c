/* What init has made of the program's thread-local variables in its thread, for the one that begins; and the
 * words that point to them or are what pthread_self() gives.  A member of its own in the archive, which a program
 * has when it asks for it.
 *
 * The C library's own ones, which it has set before any constructor, are not among them: urf.ld has them apart. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define NOTE (&__urf_note)

/* In urf.ld's order: all of the program's lie between. */
static __thread char first[0] __attribute__((used, section(".tdata.urf_first")));
static __thread char last[0] __attribute__((used, section(".tbss.urf_last")));

static void *saved;

static void bind(const struct image *image)
{
  const struct urf_import *import = (const void *)(image->table + NOTE->imports);
  for (uint64_t i = 0; i < NOTE->n_imports; i++, import++) {
    const uintptr_t to =
        import->kind == URF_IMPORT_THREAD ? (uintptr_t)pthread_self() : (uintptr_t)first;
    const struct image moved = {.bias = to + (uintptr_t)import->addend,
                                .region = image->region,
                                .region_end = image->region_end,
                                .table = image->table};
    relocate_list(&moved, "imports", import->sites, import->sites_size,
                  0); /* of words that are 0 */
  }
}

void urf_tls(const struct image *image)
{
  char *at = first;
  const size_t size = (uintptr_t)last - (uintptr_t)at;
  __asm__("" : "+r"(at)); /* the compiler takes it to be of no size */
  if (program_state.host) {
    program_state.host->thread = (uintptr_t)pthread_self();
    program_state.host->tls = at;
    program_state.host->tls_size = size;
  }
  if (!image && size && (saved = malloc(size))) {
    memcpy(saved, at, size);
  } else if (image) {
    bind(image);
    if (saved)
      memcpy(at, saved, size);
  }
}
