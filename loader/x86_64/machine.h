/* What the loader must know of x86-64 (System V psABI, AMD64 supplement). */
#define URF_MACHINE 62         /* EM_X86_64 */
#define URF_SIZE_T_MANGLED "m" /* size_t is unsigned long */
#define URF_WORD "8"           /* bytes of a pointer */
