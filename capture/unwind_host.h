/* The host's part of the search for who made an allocation. */
#ifndef TURF_UNWIND_HOST_H
#define TURF_UNWIND_HOST_H

#include <stddef.h>
#include <stdint.h>

/* The numbers of allocations, counted from 0, ascending: "3,17". */
void unwind_want(const char *numbers);
/* At each allocation, by one thread at a time: takes the stack if it is wanted. */
void unwind_at(size_t allocation);
/* The addresses that the calls return to, innermost first. */
void unwind_each(void (*f)(size_t allocation, const uintptr_t *frames, size_t n));

#endif
