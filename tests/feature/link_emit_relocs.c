// With the relocations that the linker has done.
// not: mold-i386 mold 1.10 aborts on relocations without a symbol there, which ld -r has left in what turf is
// cflags: -g
// ldflags: -Wl,--emit-relocs
#include "mix.h"
