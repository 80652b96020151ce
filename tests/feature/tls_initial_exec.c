// The same with thread-local variables whose place is known at load, so that nobody asks for it.
// only: glibc musl loads no such library with dlopen
// cflags: -ftls-model=initial-exec
// ldflags: -Wl,-z,nodelete
#include "tls_changed.c"
