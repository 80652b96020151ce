/* Relocation types that the dynamic linker meets on x86-64 (psABI AMD64, table 4.9). */
#define R_RELATIVE 8   /* R_X86_64_RELATIVE */
#define R_SYMBOLIC 1   /* R_X86_64_64 */
#define R_GLOB_DAT 6   /* R_X86_64_GLOB_DAT */
#define R_JUMP_SLOT 7  /* R_X86_64_JUMP_SLOT */
#define R_COPY 5       /* R_X86_64_COPY */
#define R_IRELATIVE 37 /* R_X86_64_IRELATIVE */
