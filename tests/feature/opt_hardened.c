// As distributions build.
// cflags: -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
// cflags-x86_64: -fcf-protection
// cflags-aarch64: -mbranch-protection=standard
// ldflags: -Wl,-z,relro,-z,now
#include "mix.h"
