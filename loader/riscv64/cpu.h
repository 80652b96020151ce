/* The features of a riscv64 CPU. */
#include "hwcap.h"
