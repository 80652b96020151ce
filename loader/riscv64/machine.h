/* What the loader must know of riscv64 (RISC-V ELF psABI). */
#ifndef URF_MACHINE_H
#define URF_MACHINE_H

#define URF_MACHINE 243        /* EM_RISCV */
#define URF_SIZE_T_MANGLED "m" /* size_t is unsigned long */
#define URF_SA_RESTORER 0      /* there is none */
#define URF_SA_MASK_LAST 0     /* in glibc's struct sigaction (bits/sigaction.h) */
#define URF_WORD "8"           /* bytes of a pointer */
#define URF_GOT_RESERVED "16"  /* bytes in front of what lazy binding writes in .got.plt (psABI) */
#define URF_IPLT_APART "1"     /* relocations of static programs are in .rela.plt only */
#define URF_DTV_OFFSET 0x800   /* from what __tls_get_addr is asked for to what it gives (psABI) */
/* kernel, include/uapi/asm-generic/unistd.h */
#define URF_SYS_WRITE 64
#define URF_SYS_EXIT_GROUP 94
#define URF_SYS_CLOCK_GETTIME 113
#define URF_SYS_SCHED_YIELD 124
#define URF_SYS_MUNMAP 215
#define URF_SYS_MREMAP 216
#define URF_SYS_MMAP 222
#define URF_SYS_MPROTECT 226
#define URF_SYS_MADVISE 233

/* syscall(2), "Architecture calling conventions" */
static inline long machine_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
  register long a7 __asm__("a7") = number, a0 __asm__("a0") = a, a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c, a3 __asm__("a3") = d, a4 __asm__("a4") = e;
  register long a5 __asm__("a5") = f;
  __asm__ volatile("ecall"
                   : "+r"(a0)
                   : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                   : "memory");
  return a0;
}

#endif
