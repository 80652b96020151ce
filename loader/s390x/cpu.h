/* The features of an s390x CPU. */
#include "hwcap.h"
