// Optimised a little; room before each function for those who patch it.
// cflags: -O1 -fpatchable-function-entry=8,4 -fno-omit-frame-pointer -fno-semantic-interposition
// not: clang-armhf clang 14 has no -fpatchable-function-entry for it
#include "mix.h"
