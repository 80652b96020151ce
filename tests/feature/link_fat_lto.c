// Compiled for optimisation at link time, and as always; linkers that do not know the compiler's form take the second.
// not: clang it has no such files
// cflags: -flto -ffat-lto-objects
// ldflags: -flto -O2
#include "mix.h"
