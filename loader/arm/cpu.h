/* The features of a arm CPU. */
#include "hwcap.h"
