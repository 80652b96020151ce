/* The features of a CPU as the kernel tells them (getauxval(3), AT_HWCAP and AT_HWCAP2): of the machines whose
 * programs learn them that way.  libc is asked, so not before the image is relocated. */
#ifndef URF_HWCAP_H
#define URF_HWCAP_H

#include <elf.h>

#include "loader.h"

#define CPU_ASKS_LIBC 1
#define CPU_WHERE "in"

/* Two words each; the last one says that they were asked for, as there may be no feature at all. */
enum { CPU_HWCAP, CPU_HWCAP2 = 2, CPU_ASKED = 4, CPU_WORDS };

static inline void cpu_all(uint32_t words[CPU_WORDS])
{
  const uint64_t one = kernel_says(AT_HWCAP), two = kernel_says(AT_HWCAP2);
  words[CPU_HWCAP] = (uint32_t)one;
  words[CPU_HWCAP + 1] = (uint32_t)(one >> 32);
  words[CPU_HWCAP2] = (uint32_t)two;
  words[CPU_HWCAP2 + 1] = (uint32_t)(two >> 32);
  words[CPU_ASKED] = 1;
}

static inline const char *cpu_name(unsigned word)
{
  return word < CPU_HWCAP2 ? "AT_HWCAP" : "AT_HWCAP2";
}

#endif
