/* The features of the CPU: init may have seen them, and chosen functions by them. */

#include "loader.h"
#include "machine.h"

#include "cpu.h"

_Static_assert(CPU_WORDS <= URF_CPU_WORDS, "struct urf_note has room for them");

void cpu_features(uint32_t *words)
{
  for (unsigned i = 0; i < CPU_WORDS; i++)
    words[i] = cpu_word(&cpu_words[i]);
}

const char *cpu_lacks(const volatile uint32_t *words)
{
  for (unsigned i = 0; i < CPU_WORDS; i++)
    if (words[i] && words[i] & ~cpu_word(&cpu_words[i]))
      return cpu_words[i].name;
  return 0;
}
