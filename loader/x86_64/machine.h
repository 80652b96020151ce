/* What the loader must know of x86-64 (System V psABI, AMD64 supplement). */
#define URF_MACHINE 62             /* EM_X86_64 */
#define URF_SIZE_T_MANGLED "m"     /* size_t is unsigned long */
#define URF_SA_RESTORER 0x04000000 /* in sa_flags (kernel, arch/x86/include/uapi/asm/signal.h) */
#define URF_WORD "8"               /* bytes of a pointer */
