// A library that can be run: it names a dynamic linker, as libc.so.6 does, and is no program for that.
#include "tls.c"

__attribute__((section(".interp"), used)) static const char interpreter[] = "/lib/ld.so";
