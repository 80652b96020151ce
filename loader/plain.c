/* The loader's variables, the note and the reserve for linkers that read no script (mold): they stand where
 * such a linker puts them, and turf finds them by their names (capture/linked.c), and fills the note. */

#include "loader.h"
#include "machine.h"

#define RESERVE 0x4000000

/* In a section of its own, by whose name turf finds it where there are no symbols. */
__attribute__((section(".urf.state"), used, retain, aligned(64))) struct state __urf_state;

/* No note to other tools: those stand first, where patchelf puts a longer table of program headers. */
__attribute__((section(".urf.note"), used, retain, aligned(4)))
HIDDEN const struct urf_note urf_note __asm__("__urf_note") = {
    .namesz = sizeof(((struct urf_note *)0)->name),
    .descsz = sizeof(struct urf_note) - offsetof(struct urf_note, self),
    .type = URF_NOTE_TYPE,
    .name = URF_NOTE_NAME,
    .heap_reserve = RESERVE,
    .format = URF_FORMAT,
    .state_size = sizeof(struct state)};

/* The region begins with a page, of whatever size.  Not in a section of its own: where the next one is aligned
 * to more, mold would begin another segment. */
__attribute__((section(".data"), used, aligned(URF_LARGEST_PAGE))) static uintptr_t region_starts =
    1;

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
__asm__(".section .urf.heap,\"awR\",%nobits\n.balign 4096\n.zero " TEXT(
    RESERVE) "\n.previous\n"
             ".section .urf.table,\"awR\",%nobits\n.balign 8\n.zero 8\n.previous\n");

/* Constructors are sorted by this number. */
__asm__(".section .init_array.0,\"awR\",%init_array\n.balign " URF_WORD
        "\n.dc.a urf_start\n.previous\n");
