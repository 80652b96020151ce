// Address space reserved without access, of which a part is made usable later.
#include <sys/mman.h>

#include "feature.h"

enum { PAGE = 4096, PAGES = 64 };

static char *arena;
static int usable;

static void grow(int pages)
{
  CHECK(mprotect(arena + usable * PAGE, pages * PAGE, PROT_READ | PROT_WRITE) == 0);
  for (int i = usable; i < usable + pages; i++)
    *(char **)(void *)(arena + i * PAGE) = arena + (i ? i - 1 : 0) * PAGE;
  usable += pages;
}

int urf_init(void)
{
  arena = mmap(0, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(arena != MAP_FAILED);
  usable = 0;
  grow(5);
  return 0;
}

void answer(FILE *out)
{
  int steps = 0;
  for (char *p = arena + (usable - 1) * PAGE; p != arena; p = *(char **)(void *)p)
    steps++;
  fprintf(out, "%d of %d pages\n", steps + 1, PAGES);
  tell_wrong(out);
}

void mutate(FILE *out)
{
  grow(20);
  CHECK(is_zero(arena + (usable - 1) * PAGE + sizeof(void *), PAGE - sizeof(void *)));
  fprintf(out, "%d\n", usable);
}
