#pragma once

// glibc 2.36 declares these without extern "C".
extern "C" {
#include <sys/pidfd.h>
}
