// Large data apart from small data, as in the medium code model; 64 KiB of data are large.
// only: x86_64 the model is of x86-64
// cflags: -mcmodel=medium
#include "mix.h"
