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

void cpu_holds(const volatile uint32_t *words, int libc, struct reason *why)
{
  uint32_t here[CPU_WORDS];
  if (!words[CPU_ASKED] || (libc >= 0 && libc != CPU_ASKS_LIBC))
    return;
  cpu_features(here);
  for (unsigned i = 0; i < CPU_WORDS; i++)
    if (words[i] & ~here[i])
      because(why, "init may have seen features of the CPU that this one lacks, " CPU_WHERE,
              cpu_name(i));
}
