/* What the loader must know of s390x (ELF ABI, s390x supplement). */
#ifndef URF_MACHINE_H
#define URF_MACHINE_H

#define URF_MACHINE 22             /* EM_S390 */
#define URF_SIZE_T_MANGLED "m"     /* size_t is unsigned long */
#define URF_SA_RESTORER 0x04000000 /* in sa_flags (kernel, arch/s390/include/uapi/asm/signal.h) */
#define URF_WORD "8"               /* bytes of a pointer */
/* kernel, arch/s390/kernel/syscalls/syscall.tbl */
#define URF_SYS_MMAP 90
#define URF_SYS_MUNMAP 91
#define URF_SYS_MREMAP 163
#define URF_SYS_MADVISE 219
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

#endif
