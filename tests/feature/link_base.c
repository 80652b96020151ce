// A preferred base, where the library needs no relocation.
// not: narrow the address has more than 32 bits
// machines: yes
// ldflags-bfd: -Wl,-Ttext-segment=0x123400000000
// ldflags-lld: -Wl,--image-base=0x123400000000
// not: mold it gives libraries no base
// base: 0x123400000000
#include "mix.h"
