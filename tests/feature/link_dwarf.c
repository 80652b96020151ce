// Debug information.
// cflags: -g3
#include "mix.h"
