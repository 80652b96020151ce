// Optimised hard.
// machines: yes
// cflags: -O3 -ffast-math -fno-plt
#include "mix.h"
