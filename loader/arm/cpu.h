/* The features of an arm CPU. */
#include "hwcap.h"
