/* The features of the CPU: init may have seen them, and chosen functions by them. */

#include "loader.h"
#include "machine.h"

#include "cpu.h"

_Static_assert(CPU_WORDS <= URF_CPU_WORDS, "struct urf_note has room for them");

void cpu_features(uint32_t *words)
{
  for (unsigned i = 0; i < CPU_WORDS; i++)
    words[i] = 0;
  cpu_all(words);
}

const char *cpu_lacks(const volatile uint32_t *words)
{
  uint32_t here[CPU_WORDS];
  if (!words[CPU_EDX]) /* leaf 1: there is no CPU without any of these */
    return 0;
  cpu_features(here);
  for (unsigned i = 0; i < CPU_WORDS; i++)
    if (words[i] & ~here[i])
      return cpu_name(i);
  return 0;
}
