/* Preloaded, this makes a process look like a capture host to the loader of a turf library: all that
 * the library allocates lies in its image then, as it does while init runs under turf freeze. */

#include "format.h"

static void allocated(void *block, uintptr_t size, void *caller, unsigned how)
{
  (void)block, (void)size, (void)caller, (void)how;
}

__attribute__((visibility("default"))) struct urf_host handshake __asm__(URF_HOST_SYMBOL) = {
    .version = URF_HOST_VERSION, .allocated = allocated};
