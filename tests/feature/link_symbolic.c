// References to own exported symbols bound at link time.
// ldflags: -Wl,-Bsymbolic
#include "mix.h"
