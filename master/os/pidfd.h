#pragma once

// glibc 2.36 declares these without extern "C".
extern "C" {
#include <sys/pidfd.h>
}

#include <sys/wait.h>

namespace clusterd::os {

/// For waitid(2).
#ifndef P_PIDFD
inline constexpr idtype_t kPidFd = static_cast<idtype_t>(3);  // glibc names it from 2.36 on
#else
inline constexpr idtype_t kPidFd = P_PIDFD;
#endif

}  // namespace clusterd::os
