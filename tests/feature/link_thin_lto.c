// Optimised across files at link time, in parts.
// configs: clang-bfd-glibc clang-lld-glibc clang-lld-glibc-aarch64 clang-lld-glibc-i386
// cflags: -flto=thin
// ldflags: -flto=thin -O2
#include "mix.h"
