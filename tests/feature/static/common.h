/* What static programs have in common: main runs init where it has not been run. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "urf.h"

/* Not there where the program is linked without turf. */
int urf_frozen(void) __attribute__((weak));
#define FROZEN (urf_frozen && urf_frozen())

int boot(void);
int use(void);

#define CHECK(x) ((x) ? (void)0 : (void)printf("wrong: line %d\n", __LINE__))

int main(int argc, char **argv)
{
  if (!FROZEN)
    boot();
  printf("%d arguments, %s\n", argc, argv[argc - 1]);
  return use();
}
