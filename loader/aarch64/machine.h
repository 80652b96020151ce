/* What the loader must know of aarch64 (Arm: ELF for the Arm 64-bit Architecture, and its procedure call
 * standard). */
#ifndef URF_MACHINE_H
#define URF_MACHINE_H

#define URF_MACHINE 183            /* EM_AARCH64 */
#define URF_SIZE_T_MANGLED "m"     /* size_t is unsigned long */
#define URF_SA_RESTORER 0x04000000 /* in sa_flags (kernel, arch/arm64/include/uapi/asm/signal.h) */
#define URF_SA_MASK_LAST 0         /* in glibc's struct sigaction (bits/sigaction.h) */
#define URF_WORD "8"               /* bytes of a pointer */
#define URF_GOT_RESERVED "24"   /* bytes in front of what lazy binding writes in .got.plt (psABI) */
#define URF_LARGEST_PAGE 65536u /* of the three that kernels have (Arm ARM, D8.2.1) */
#define URF_IPLT_APART "0"      /* relocations of static programs are in .rela.plt only */
#define URF_DTV_OFFSET 0        /* from what __tls_get_addr is asked for to what it gives (psABI) */
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
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}

#endif
