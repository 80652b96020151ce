/* How the dynamic linker is asked for thread-local variables: psABI, __tls_get_addr, unless the machine's has a
 * function of its own. */
#ifndef URF_TLS_GET_H
#define URF_TLS_GET_H

#include "machine.h"

#ifndef URF_TLS_GET
#define URF_TLS_GET "__tls_get_addr"
/* fn: of that name.  index: number of the module, and an offset less URF_DTV_OFFSET. */
static inline void *machine_tls_get(void *fn, unsigned long index[2])
{
  return ((void *(*)(unsigned long *))(uintptr_t)fn)(index);
}
#endif

#endif
