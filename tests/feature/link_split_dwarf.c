// Debug information in files of its own, and packed.
// cflags: -g -gsplit-dwarf -gz
// ldflags: -Wl,--compress-debug-sections=zlib
#include "mix.h"
