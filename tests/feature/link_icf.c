// Functions of the same code are one.
// configs: gcc-lld-glibc clang-lld-glibc gcc-lld-musl gcc-mold-glibc clang-lld-glibc-aarch64 clang-lld-glibc-i386
// cflags: -ffunction-sections -fdata-sections
// ldflags: -Wl,--icf=all,--gc-sections,--print-icf-sections
#include "mix.h"
