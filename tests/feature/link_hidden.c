// Only what the driver asks for is exported.
// cflags: -fvisibility=hidden
#pragma GCC visibility push(default)
#include "feature.h"
#pragma GCC visibility pop
#include "mix.h"
