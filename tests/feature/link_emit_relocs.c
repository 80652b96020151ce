// With the relocations that the linker has done.
// cflags: -g
// ldflags: -Wl,--emit-relocs
#include "mix.h"
