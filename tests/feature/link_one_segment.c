// Code and constants in one segment where the linker likes, both hash tables, and no undefined symbol.
// ldflags: -Wl,-z,noseparate-code,--hash-style=both,--no-undefined,-z,origin
#include "mix.h"
