/* The features of a s390x CPU. */
#include "hwcap.h"
