/* The loader's variables, but for what others freeze, and the input sections that urf.ld builds
 * upon. */

#include "note.h"

/* In the region, because nothing of the loader may be written elsewhere; cleared before the
 * capture, because nothing of it is worth freezing. */
__attribute__((aligned(64))) struct state __urf_state;

NOTE_TAIL(0, sizeof(struct state));

/* Any malloc will do, see urf.ld. */
__asm__(".globl __urf_malloc\n.hidden __urf_malloc\n.set __urf_malloc, 0\n");

/* The first entry of .init_array: urf.ld puts this section before all others. */
__asm__(".section .urf.init_array,\"aw\",%init_array\n.balign " URF_WORD
        "\n.dc.a urf_start\n.previous\n");
