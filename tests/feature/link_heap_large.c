// A heap reserve beyond 4 GiB, which costs nothing.
// ldflags: -Wl,--defsym=__urf_heap_size=0x180000000
#include "mix.h"
