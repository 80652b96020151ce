// Optimised for size.
// machines: yes
// cflags: -Os -fno-plt
#include "mix.h"
