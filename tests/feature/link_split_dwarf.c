// Debug information in files of its own, and packed.
// not: clang-riscv64 clang 14 makes none there: its DWARF would need relocations, which a .dwo has not
// cflags: -g -gsplit-dwarf -gz
// ldflags: -Wl,--compress-debug-sections=zlib
#include "mix.h"
