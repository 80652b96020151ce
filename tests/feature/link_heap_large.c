// A heap reserve beyond 4 GiB, which costs nothing.
// not: narrow the size has more than 32 bits
// ldflags: -Wl,--defsym=__urf_heap_size=0x180000000
#include "mix.h"
