// As distributions build.
// cflags: -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection
// ldflags: -Wl,-z,relro,-z,now
#include "mix.h"
