// The old hash table.
// not: mold-s390x mold 1.10 gives it entries of 4 bytes, where the dynamic linker reads 8, without turf as well
// ldflags: -Wl,--hash-style=sysv
#include "mix.h"
