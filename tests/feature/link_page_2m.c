// Segments aligned to 2 MiB, as older linkers have them.
// not: i386 addresses of that alignment are few, and chosen with few bits
// ldflags: -Wl,-z,max-page-size=0x200000
#include "mix.h"
