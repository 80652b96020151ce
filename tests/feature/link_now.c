// Everything bound at load, GOT and all read-only then.
// ldflags: -Wl,-z,relro,-z,now
#include "mix.h"
