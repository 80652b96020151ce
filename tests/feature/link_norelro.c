// No part of the image made read-only.
// ldflags: -Wl,-z,norelro
#include "mix.h"
