/* The loader's variables, but for what is frozen. */

#include "note.h"
#include "program.h"

/* Not in .bss, which fallback.c empties while it is in use. */
__attribute__((section(".data"))) struct program program_state;

NOTE_TAIL(URF_STATIC, sizeof(struct program));

/* See urf.ld. */
__asm__(".section .urf.headers,\"a\"\n.balign 8\n.zero 8\n.previous\n");

#ifdef URF_GOT_FIRST
__asm__(".globl " URF_GOT_FIRST "\n.hidden " URF_GOT_FIRST "\n.set " URF_GOT_FIRST ", 1\n");
#endif
