/* malloc by the page, which few programs ask for. */

#include <stdlib.h>

#include "program.h"

BOUND void *valloc(size_t size);
BOUND void *pvalloc(size_t size);

BOUND void *valloc(size_t size)
{
  return program_allocate(HEAP_PAGE, size, __builtin_return_address(0));
}

BOUND void *pvalloc(size_t size)
{
  return program_allocate(HEAP_PAGE, page_up(size), __builtin_return_address(0));
}
