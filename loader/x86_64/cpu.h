/* The features of an x86-64 CPU that programs can use: CPUID (Intel SDM, volume 2; AMD APM, volume 3,
 * appendix E), and what of its state the kernel keeps (XCR0: SDM, volume 1, 13.3).  The masks leave out
 * what says nothing of instructions: topology, performance counters, virtual machines. */

struct cpu_word {
  uint32_t leaf, subleaf, reg, mask;
  char name[12];
};

enum { CPU_EAX, CPU_EBX, CPU_ECX, CPU_EDX, CPU_XCR0 };

static const struct cpu_word cpu_words[] = {
    {0x1, 0, CPU_ECX, 0x7ed83203, "1 ecx"},
    {0x1, 0, CPU_EDX, 0x07888111, "1 edx"},
    {0x7, 0, CPU_EBX, 0xfdaf4b39, "7 ebx"},
    {0x7, 0, CPU_ECX, 0x3ac05ffb, "7 ecx"},
    {0x7, 0, CPU_EDX, 0x03d1413c, "7 edx"},
    {0x7, 1, CPU_EAX, 0x80a01cbf, "7.1 eax"},
    {0x7, 1, CPU_EDX, 0x00284530, "7.1 edx"},
    {0xd, 1, CPU_EAX, 0x00000017, "d.1 eax"},
    {0x80000001, 0, CPU_ECX, 0x202109e1, "80000001 ecx"},
    {0x80000001, 0, CPU_EDX, 0xc8400800, "80000001 edx"},
    {0, 0, CPU_XCR0, 0xffffffff, "xcr0"},
};
enum { CPU_WORDS = sizeof cpu_words / sizeof *cpu_words };

/* In front of the instruction stands one that does nothing, by which turf knows the loader's own. */
static inline void cpu_id(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
  __asm__ volatile(URF_CPU_MARK_TEXT "cpuid"
                   : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                   : "a"(leaf), "c"(subleaf));
}

static inline uint32_t cpu_xcr0(void)
{
  uint32_t low, high, out[4];
  cpu_id(1, 0, out);
  if (!(out[CPU_ECX] >> 27 & 1)) /* OSXSAVE */
    return 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/* The same word is never asked for beyond what the CPU has: Intel's repeat their last leaf there. */
static inline uint32_t cpu_word(const struct cpu_word *w)
{
  uint32_t out[4];
  if (w->reg == CPU_XCR0)
    return cpu_xcr0();
  cpu_id(w->leaf & 0x80000000, 0, out);
  if (out[CPU_EAX] < w->leaf)
    return 0;
  if (w->leaf == 7 && w->subleaf) {
    cpu_id(7, 0, out);
    if (out[CPU_EAX] < w->subleaf)
      return 0;
  }
  cpu_id(w->leaf, w->subleaf, out);
  return out[w->reg] & w->mask;
}
