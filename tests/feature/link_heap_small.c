// A heap reserve of a few pages.
// ldflags-bfd: -Wl,--defsym=__urf_heap_size=0x4000
// ldflags-lld: -Wl,--defsym=__urf_heap_size=0x4000
#include "mix.h"
