// Segments aligned to 2 MiB, as older linkers have them.
// ldflags: -Wl,-z,max-page-size=0x200000
#include "mix.h"
