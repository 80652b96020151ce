/* What the loader must know of s390x (ELF ABI, s390x supplement). */
#ifndef URF_MACHINE_H
#define URF_MACHINE_H

#define URF_MACHINE 22             /* EM_S390 */
#define URF_SIZE_T_MANGLED "m"     /* size_t is unsigned long */
#define URF_SA_RESTORER 0x04000000 /* in sa_flags (kernel, arch/s390/include/uapi/asm/signal.h) */
#define URF_SA_MASK_LAST 1         /* in glibc's struct sigaction (bits/sigaction.h) */
#define URF_WORD "8"               /* bytes of a pointer */
#define URF_GOT_RESERVED                                                                           \
  "0" /* bytes in front of what lazy binding writes in .got.plt: they are in .got */
#define URF_IPLT_APART "0" /* relocations of static programs are in .rela.plt only */
#define URF_DTV_OFFSET 0   /* from what __tls_get_addr is asked for to what it gives (psABI) */
/* kernel, arch/s390/kernel/syscalls/syscall.tbl */
#define URF_SYS_WRITE 4
#define URF_SYS_MMAP 90
#define URF_SYS_MUNMAP 91
#define URF_SYS_MPROTECT 125
#define URF_SYS_SCHED_YIELD 158
#define URF_SYS_MREMAP 163
#define URF_SYS_MADVISE 219
#define URF_SYS_EXIT_GROUP 248
#define URF_SYS_CLOCK_GETTIME 260

/* syscall(2), "Architecture calling conventions"; mmap takes its arguments in memory */
static inline long machine_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
  const long all[6] = {a, b, c, d, e, f};
  register long r1 __asm__("r1") = number;
  register long r2 __asm__("r2") = number == URF_SYS_MMAP ? (long)all : a;
  register long r3 __asm__("r3") = b, r4 __asm__("r4") = c, r5 __asm__("r5") = d;
  register long r6 __asm__("r6") = e, r7 __asm__("r7") = f;
  __asm__ volatile("svc 0"
                   : "+d"(r2)
                   : "d"(r1), "d"(r3), "d"(r4), "d"(r5), "d"(r6), "d"(r7)
                   : "memory", "cc");
  return r2;
}

/* ELF ABI, s390x supplement, "Thread-local storage": r12 and r2 together are the address of what __tls_get_addr is
 * given elsewhere; the result counts from the thread pointer. */
#define URF_TLS_GET "__tls_get_offset"
static inline void *machine_tls_get(void *fn, unsigned long index[2])
{
  register unsigned long r1 __asm__("r1") = (unsigned long)fn;
  register unsigned long r2 __asm__("r2") = (unsigned long)index;
  unsigned long saved;
  __asm__ volatile("lgr %1, %%r12\n\t"
                   "lghi %%r12, 0\n\t"
                   "aghi %%r15, -160\n\t"
                   "basr %%r14, %2\n\t"
                   "aghi %%r15, 160\n\t"
                   "lgr %%r12, %1"
                   : "+d"(r2), "=&d"(saved), "+a"(r1)
                   :
                   : "r0", "r3", "r4", "r5", "r14", "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7",
                     "memory", "cc");
  return (char *)__builtin_thread_pointer() + r2;
}

#endif
