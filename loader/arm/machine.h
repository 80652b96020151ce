/* What the loader must know of arm, with the EABI and hard floating point (ELF for the Arm Architecture). */
#ifndef URF_MACHINE_H
#define URF_MACHINE_H

#define URF_MACHINE 40             /* EM_ARM */
#define URF_SIZE_T_MANGLED "j"     /* size_t is unsigned int */
#define URF_SA_RESTORER 0x04000000 /* in sa_flags (kernel, arch/arm/include/uapi/asm/signal.h) */
#define URF_SA_MASK_LAST 0         /* in glibc's struct sigaction (bits/sigaction.h) */
#define URF_WORD "4"               /* bytes of a pointer */
#define URF_GOT_RESERVED "12" /* bytes in front of what lazy binding writes in .got.plt (psABI) */
#define URF_IPLT_APART "0"    /* relocations of static programs are in .rela.plt only */
#define URF_GOT_FIRST "__urf_got_first" /* _GLOBAL_OFFSET_TABLE_ has to be at .got: see urf.ld */
#define URF_DTV_OFFSET 0 /* from what __tls_get_addr is asked for to what it gives (psABI) */
/* kernel, arch/arm/tools/syscall.tbl; mmap2, whose offset counts pages */
#define URF_SYS_WRITE 4
#define URF_SYS_MUNMAP 91
#define URF_SYS_MPROTECT 125
#define URF_SYS_SCHED_YIELD 158
#define URF_SYS_MREMAP 163
#define URF_SYS_MMAP 192
#define URF_SYS_MADVISE 220
#define URF_SYS_EXIT_GROUP 248
#define URF_SYS_CLOCK_GETTIME 263

/* syscall(2), "Architecture calling conventions"; r7 may be the frame pointer */
static inline long machine_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
  register long r0 __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c;
  register long r3 __asm__("r3") = d, r4 __asm__("r4") = e, r5 __asm__("r5") = f;
  long saved;
  __asm__ volatile("mov %1, r7\n\t"
                   "mov r7, %2\n\t"
                   "svc 0\n\t"
                   "mov r7, %1"
                   : "+r"(r0), "=&r"(saved)
                   : "r"(number), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
                   : "memory");
  return r0;
}

#endif
