// Functions bound when first called.
// ldflags: -Wl,-z,lazy
#include "mix.h"
