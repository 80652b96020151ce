// Sections on their own, the unused ones dropped.
// cflags: -ffunction-sections -fdata-sections
// ldflags: -Wl,--gc-sections
#include "mix.h"
