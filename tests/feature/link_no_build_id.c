// No build id.
// ldflags: -Wl,--build-id=none
#include "mix.h"
