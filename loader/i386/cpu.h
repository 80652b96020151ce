/* The features of an i386 CPU: they are asked for as on its successor. */
#include "../x86_64/cpu.h"
