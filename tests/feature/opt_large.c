// Code and data anywhere, as in the large code model.
// only: x86_64 the model is of x86-64
// cflags: -mcmodel=large
#include "mix.h"
