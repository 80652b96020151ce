/* What the host program runs the init of: a library, which the dynamic linker loads (guest_library.c), or a
 * static program, which takes the process over (guest_program.c). */
#ifndef TURF_GUEST_H
#define TURF_GUEST_H

#include <stddef.h>
#include <stdint.h>

#include "format.h"

extern const int guest_is_program;
/* Has ready called, which does not return, as soon as the file is loaded and its constructors have run; in
 * case of failure returns why.  argv: what a program finds there, up to NULL. */
const char *guest_load(const char *path, char **argv, struct urf_host *handshake,
                       void (*ready)(void));
/* Around what runs code of the guest. */
void guest_enter(void);
void guest_leave(void);
/* Where it is, and, when it is sealed, pthread_self() of the thread that has loaded it. */
uintptr_t guest_bias(void);
uintptr_t guest_thread(void);
/* Its thread-local variables in this thread, and how many bytes from there on are; NULL for none that are frozen. */
const void *guest_tls(size_t *size);
/* Of a library's process: those of a module by its number, from what dl_iterate_phdr(3) says of them, which in musl
 * (1.2.3) is URF_DTV_OFFSET too much; NULL where they are not there yet. */
const void *guest_module_tls(size_t module, const void *said);
/* An init function of its own, by name; or by @ADDRESS, in hex.  NULL for none. */
void *guest_function(const char *name);
/* What a symbol means to it; version may be "-" for any.  NULL for nothing. */
void *guest_symbol(const char *name, const char *version);
/* All modules of the process, the host program first: load bias, first and last address, path. */
void guest_modules(void (*say)(uintptr_t bias, uintptr_t lo, uintptr_t hi, const char *path));

#endif
