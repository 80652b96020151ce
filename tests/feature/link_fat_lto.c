// Compiled for optimisation at link time, and as always; linkers that do not know the compiler's form take the second.
// not: clang it has no such files
// not: mold-musl mold 1.10 aborts in any optimisation at link time that musl-gcc asks it for, without turf as well
// cflags: -flto -ffat-lto-objects
// ldflags: -flto -O2
#include "mix.h"
