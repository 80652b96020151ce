// The new hash table only; code apart from constants; functions bound within the library, variables not.
// ldflags: -Wl,-z,separate-code,--hash-style=gnu,-Bsymbolic-functions,--build-id=uuid
#include "mix.h"
