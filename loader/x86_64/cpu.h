/* The features of an x86-64 CPU that programs can use: CPUID (Intel SDM, volume 2; AMD APM, volume 3,
 * appendix E), and what of its state the kernel keeps (XCR0: SDM, volume 1, 13.3).  The masks leave out
 * what says nothing of instructions: topology, performance counters, virtual machines. */

#define CPU_ASKS_LIBC 0
#define CPU_WHERE "in cpuid leaf"

enum { CPU_EAX, CPU_EBX, CPU_ECX, CPU_EDX, CPU_REGISTERS };

static const struct cpu_leaf {
  uint32_t leaf, subleaf, mask[CPU_REGISTERS];
  char name[12];
} cpu_leaves[] = {
    {0x1, 0, {0, 0, 0x7ed83203, 0x07888111}, "1"},
    {0x7, 0, {0, 0xfdaf4b39, 0x3ac05ffb, 0x03d1413c}, "7"},
    {0x7, 1, {0x80a01cbf, 0, 0, 0x00284530}, "7.1"},
    {0xd, 1, {0x00000017, 0, 0, 0}, "d.1"},
    {0x80000001, 0, {0, 0, 0x202109e1, 0xc8400800}, "80000001"},
};
enum {
  CPU_LEAVES = sizeof cpu_leaves / sizeof *cpu_leaves,
  CPU_XCR0 = CPU_LEAVES * CPU_REGISTERS, /* behind the words of the leaves */
  CPU_WORDS,
  CPU_ASKED = CPU_EDX /* leaf 1: there is no CPU without any of these */
};

/* In front of the instruction stands one that does nothing, by which turf knows the loader's own. */
static inline void cpu_id(uint32_t leaf, uint32_t subleaf, uint32_t out[CPU_REGISTERS])
{
  __asm__ volatile(URF_CPU_MARK_TEXT "cpuid"
                   : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                   : "a"(leaf), "c"(subleaf));
}

/* Where there is no such leaf, Intel's CPUs repeat another.  Each is asked for once, since a virtual machine
 * takes microseconds for it. */
static inline void cpu_all(uint32_t words[CPU_WORDS])
{
  uint32_t out[CPU_REGISTERS], low, high;
  cpu_id(0, 0, out);
  const uint32_t last = out[CPU_EAX]; /* 0x80000001, which tells of long mode, is on all */
  for (unsigned i = 0; i < CPU_LEAVES; i++) {
    const struct cpu_leaf *l = &cpu_leaves[i];
    /* 7, the one before 7.1, has the number of the last subleaf in EAX */
    if ((l->leaf > last && l->leaf != 0x80000001) || (l->leaf == 7 && l->subleaf > out[CPU_EAX]))
      continue;
    cpu_id(l->leaf, l->subleaf, out);
    for (unsigned r = 0; r < CPU_REGISTERS; r++)
      words[i * CPU_REGISTERS + r] = out[r] & l->mask[r];
  }
  if (!(words[CPU_ECX] >> 27 & 1)) /* OSXSAVE, in leaf 1 */
    return;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  words[CPU_XCR0] = low;
}

static inline const char *cpu_name(unsigned word)
{
  return word == CPU_XCR0 ? "d (XCR0)" : cpu_leaves[word / CPU_REGISTERS].name;
}
