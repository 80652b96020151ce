// The linker packs relative relocations itself (RELR).  Not with lld 14, whose output glibc rejects
// for want of the version GLIBC_ABI_DT_RELR, and not with musl 1.2.3, which knows no RELR.
// configs: gcc-bfd-glibc clang-bfd-glibc
// ldflags: -Wl,-z,pack-relative-relocs
#include "mix.h"
