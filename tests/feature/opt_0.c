// Not optimised.
// cflags: -O0
#include "mix.h"
