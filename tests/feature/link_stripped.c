// No symbol table, no debug information.
// ldflags: -s
#include "mix.h"
