/* What the loader must know of x86-64 (System V psABI, AMD64 supplement). */
#ifndef URF_MACHINE_H
#define URF_MACHINE_H

#define URF_MACHINE 62             /* EM_X86_64 */
#define URF_SIZE_T_MANGLED "m"     /* size_t is unsigned long */
#define URF_SA_RESTORER 0x04000000 /* in sa_flags (kernel, arch/x86/include/uapi/asm/signal.h) */
#define URF_SA_MASK_LAST 0         /* in glibc's struct sigaction (bits/sigaction.h) */
#define URF_WORD "8"               /* bytes of a pointer */
#define URF_GOT_RESERVED "24" /* bytes in front of what lazy binding writes in .got.plt (psABI) */
#define URF_IPLT_APART "0"    /* relocations of static programs are in .rela.plt only */
#define URF_DTV_OFFSET 0      /* from what __tls_get_addr is asked for to what it gives (psABI) */
/* kernel, arch/x86/entry/syscalls/syscall_64.tbl */
#define URF_SYS_WRITE 1
#define URF_SYS_MMAP 9
#define URF_SYS_MPROTECT 10
#define URF_SYS_MUNMAP 11
#define URF_SYS_SCHED_YIELD 24
#define URF_SYS_MREMAP 25
#define URF_SYS_MADVISE 28
#define URF_SYS_CLOCK_GETTIME 228
#define URF_SYS_EXIT_GROUP 231

/* syscall(2), "Architecture calling conventions" */
static inline long machine_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return number;
}

#endif
