/* Memory that init maps by itself lies in the image, and is what it would be otherwise. */
#include <sys/mman.h>

#include "common.h"

enum { MANY = 1 << 20, MEMORY = MAP_PRIVATE | MAP_ANONYMOUS, BOTH = PROT_READ | PROT_WRITE };
static char *large, *holed, *grown, *closed;

static char *filled(size_t size, int with)
{
  return memset(mmap(NULL, size, BOTH, MEMORY, -1, 0), with, size);
}

int boot(void)
{
  large = filled(MANY, 'l');
  CHECK(!madvise(large + 4096, 4096, MADV_DONTNEED));
  holed = filled(50000, 'h');
  CHECK(!munmap(holed + 8192, 4096));
  grown = mremap(filled(8192, 'g'), 8192, 40000, MREMAP_MAYMOVE);
  closed = filled(4096, 'c');
  CHECK(!mprotect(closed, 4096, PROT_READ));
  CHECK(!munmap(filled(65536, 'n'), 65536));
  return 0;
}

int use(void)
{
  CHECK(large[0] == 'l' && !large[4096] && large[8192] == 'l');
  CHECK(holed[0] == 'h' && holed[49999] == 'h');
  CHECK(grown[8191] == 'g' && !grown[8192] && !grown[39999]);
  CHECK(closed[5] == 'c');
  CHECK(!mprotect(closed, 4096, BOTH));
  closed[5] = 'd';
  CHECK(!madvise(large, MANY, MADV_DONTNEED) && !large[0] && !large[MANY - 1]);
  large[3] = 1;
  grown = mremap(grown, 40000, MANY, MREMAP_MAYMOVE);
  CHECK(grown[0] == 'g' && !grown[50000]);
  grown[MANY - 1] = 1;
  CHECK(!munmap(grown, MANY) && !munmap(holed, 8192) && !munmap(large, MANY));
  char *later = filled(65536, 'x');
  CHECK(mremap(later, 65536, 4096, 0) == later && later[9] == 'x' && !munmap(later, 4096));
  printf("maps\n");
  return 0;
}
