/* What the loader must know of i386 (System V psABI, Intel386 supplement). */
#ifndef URF_MACHINE_H
#define URF_MACHINE_H

#define URF_MACHINE 3              /* EM_386 */
#define URF_SIZE_T_MANGLED "j"     /* size_t is unsigned int */
#define URF_SA_RESTORER 0x04000000 /* in sa_flags (kernel, arch/x86/include/uapi/asm/signal.h) */
#define URF_SA_MASK_LAST 0         /* in glibc's struct sigaction (bits/sigaction.h) */
#define URF_WORD "4"               /* bytes of a pointer */
#define URF_GOT_RESERVED "12" /* bytes in front of what lazy binding writes in .got.plt (psABI) */
#define URF_IPLT_APART "0"    /* relocations of static programs are in .rela.plt only */
#define URF_DTV_OFFSET 0      /* from what __tls_get_addr is asked for to what it gives (psABI) */
/* kernel, arch/x86/entry/syscalls/syscall_32.tbl; mmap2, whose offset counts pages */
#define URF_SYS_WRITE 4
#define URF_SYS_MUNMAP 91
#define URF_SYS_MPROTECT 125
#define URF_SYS_SCHED_YIELD 158
#define URF_SYS_MREMAP 163
#define URF_SYS_MMAP 192
#define URF_SYS_MADVISE 219
#define URF_SYS_EXIT_GROUP 252
#define URF_SYS_CLOCK_GETTIME 265

/* syscall(2), "Architecture calling conventions"; the sixth is in ebp, which the compiler may need */
static inline long machine_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
  const long two[2] = {number, f};
  long result;
  __asm__ volatile("pushl %%ebp\n\t"
                   "movl 4(%%eax), %%ebp\n\t"
                   "movl (%%eax), %%eax\n\t"
                   "int $0x80\n\t"
                   "popl %%ebp"
                   : "=a"(result)
                   : "0"(two), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                   : "memory");
  return result;
}

#endif
