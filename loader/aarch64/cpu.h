/* The features of an aarch64 CPU (kernel, Documentation/arm64/elf_hwcaps.rst). */
#include "hwcap.h"
