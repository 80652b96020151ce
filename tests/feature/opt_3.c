// Optimised hard.
// cflags: -O3 -ffast-math -fno-plt
#include "mix.h"
