// Large data apart from small data, as in the medium code model.
// configs: gcc-bfd-glibc gcc-lld-glibc
// cflags: -mcmodel=medium -mlarge-data-threshold=64
#include "mix.h"
