/* What the loader must know of x86-64 (System V psABI, AMD64 supplement). */
#define URF_MACHINE 62             /* EM_X86_64 */
#define URF_SIZE_T_MANGLED "m"     /* size_t is unsigned long */
#define URF_SA_RESTORER 0x04000000 /* in sa_flags (kernel, arch/x86/include/uapi/asm/signal.h) */
#define URF_WORD "8"               /* bytes of a pointer */
#define URF_SYS_CLOCK_GETTIME 228  /* kernel, arch/x86/entry/syscalls/syscall_64.tbl */

/* syscall(2), "Architecture calling conventions" */
static inline long machine_syscall2(long number, long a, long b)
{
  __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b) : "rcx", "r11", "memory");
  return number;
}
