/* What the kernel tells a program at its start; a member of its own in the archive, for the machines whose
 * features of the CPU it tells (hwcap.h).  getauxval(3) is not called: a program that has it has asked. */

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include "loader.h"

/* Behind the environment (psABI, "Process Initialization"). */
unsigned long kernel_says(unsigned long type)
{
  char **end = __environ;
  while (*end)
    end++;
  const ElfW(auxv_t) *a = (const void *)(end + 1);
  while (a->a_type != AT_NULL && a->a_type != type)
    a++;
  return a->a_un.a_val; /* of AT_NULL: 0 */
}
