/* The input sections that urf.ld builds upon.  Part of the one file that has the loader's variables. */
#ifndef URF_NOTE_H
#define URF_NOTE_H

#include "loader.h"
#include "machine.h"

/* Keeps .data in every library, so that the region has a start. */
__attribute__((section(".data"), used)) static uintptr_t data_is_there = 1;

/* The ends of struct urf_note; urf.ld writes the link part between the two. */
struct note_head {
  uint32_t namesz, descsz, type;
  char name[4];
};

struct note_tail {
  uint32_t format, state_size, flags;
  char frozen[sizeof(struct urf_note) - offsetof(struct urf_note, machine)];
};

#define NOTE_SECTION(name) ".section " name ",\"a\",%note\n.previous\n"
__asm__(NOTE_SECTION(".note.urf") NOTE_SECTION(".note.urf.frozen"));

__attribute__((section(".note.urf"), used, aligned(4)))
HIDDEN const struct note_head urf_note_head __asm__("__urf_note") = {
    sizeof(((struct note_head *)0)->name),
    sizeof(struct urf_note) - sizeof(struct note_head),
    URF_NOTE_TYPE,
    URF_NOTE_NAME,
};

/* Flags of the link, and the size of the loader's variables. */
#define NOTE_TAIL(flags, size)                                                                     \
  __attribute__((section(".note.urf.frozen"), used,                                                \
                 aligned(4))) static const struct note_tail note_tail = {                          \
      URF_FORMAT, size, flags, {0}}

/* A size given with --defsym would be exported without this. */
__asm__(".hidden __urf_heap_size");

/* How much of .got.plt can be protected: see urf.ld. */
__asm__(".globl __urf_got_reserved\n.hidden __urf_got_reserved\n"
        ".set __urf_got_reserved, " URF_GOT_RESERVED "\n");

/* Whether the relocations that static programs apply are in .rela.plt only: see urf.ld. */
__asm__(".globl __urf_iplt_apart\n.hidden __urf_iplt_apart\n"
        ".set __urf_iplt_apart, " URF_IPLT_APART "\n");

/* So that the section with the users' hooks is never empty, which lld takes for NOBITS. */
__asm__(".section .urf.hooks,\"aw\"\n.balign " URF_WORD "\n.zero " URF_WORD "\n.previous\n");

/* NOBITS input makes the whole heap NOBITS; urf.ld counts this page. */
__asm__(".section .urf.heap,\"aw\",%nobits\n.balign 4096\n.zero 4096\n.previous\n");

/* Something for turf to put the table into: no section of the output is new, so none is
 * renumbered. */
__asm__(".section .urf.table,\"aw\",%nobits\n.balign 8\n.zero 8\n.previous\n");

#endif
