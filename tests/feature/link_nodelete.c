// It stays in the process once it is loaded.
// ldflags: -Wl,-z,nodelete
#include "mix.h"
