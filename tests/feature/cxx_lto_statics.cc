// As cxx_statics.cc, optimised across files at link time.
// configs: gcc-bfd-glibc clang-bfd-glibc clang-lld-glibc gcc-mold-glibc gcc-bfd-glibc-aarch64 clang-lld-glibc-aarch64 gcc-bfd-glibc-riscv64 gcc-bfd-glibc-i386 clang-lld-glibc-i386 gcc-bfd-glibc-armhf
// cflags: -flto
// ldflags: -flto -O2 -static-libstdc++ -static-libgcc
#include "cxx_statics.cc"
