// The old hash table.
// ldflags: -Wl,--hash-style=sysv
#include "mix.h"
