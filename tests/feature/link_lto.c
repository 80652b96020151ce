// Optimised across files at link time.
// configs: gcc-bfd-glibc clang-lld-glibc gcc-bfd-musl
// cflags: -flto
// ldflags: -flto -O2
#include "mix.h"
