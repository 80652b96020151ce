/* Where the regions of several runs differ, byte by byte. */

#include <string.h>

#include "turf.h"

enum { STRIDE = 4096 };

static bool differs(unsigned char *const *region, size_t n, size_t at)
{
  for (size_t i = 1; i < n; i++)
    if (region[i][at] != region[0][at])
      return true;
  return false;
}

/* Most of an image is the same in all runs: whole pages are passed over at once. */
static bool page_differs(unsigned char *const *region, size_t n, size_t at, size_t size)
{
  for (size_t i = 1; i < n; i++)
    if (memcmp(region[i] + at, region[0] + at, size) != 0)
      return true;
  return false;
}

void diff(struct spans *out, unsigned char *const *region, size_t n, size_t size)
{
  struct span *last = NULL;
  for (size_t page = 0; page < size; page += STRIDE) {
    size_t end = size - page < STRIDE ? size : page + STRIDE;
    if (!page_differs(region, n, page, end - page))
      continue;
    for (size_t at = page; at < end; at++) {
      if (!differs(region, n, at))
        continue;
      if (!last || last->offset + last->size != at) {
        last = PUSH(&out->list);
        *last = (struct span){at, 0};
      }
      last->size++;
    }
  }
}
