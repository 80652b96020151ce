// Optimised a little; room before each function for those who patch it.
// cflags: -O1 -fpatchable-function-entry=8,4 -fno-omit-frame-pointer -fno-semantic-interposition
#include "mix.h"
