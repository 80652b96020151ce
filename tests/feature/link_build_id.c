// With a build id.
// ldflags: -Wl,--build-id=sha1
#include "mix.h"
