/* Relocation types that the dynamic linker meets on x86-64 (psABI AMD64, table 4.9). */
#include <elf.h>

#define R_RELATIVE R_X86_64_RELATIVE
#define R_SYMBOLIC R_X86_64_64
#define R_GLOB_DAT R_X86_64_GLOB_DAT
#define R_JUMP_SLOT R_X86_64_JUMP_SLOT
#define R_IRELATIVE R_X86_64_IRELATIVE
#define R_COPIED R_X86_64_COPY
