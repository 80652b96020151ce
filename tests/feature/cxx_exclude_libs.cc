// Every form of operator new and delete, in a library that hides the C++ library it contains.
// only: glibc there is no C++ compiler for musl in Debian
// not: mold an object comes before the static C++ library there, so a failing new finds nothing to throw with
// cflags: -std=c++17 -fno-builtin -fsized-deallocation
// ldflags: -static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL
#include "cxx_new.cc"
