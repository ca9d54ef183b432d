#pragma once

/// What clusterd's programs end with, besides 0: the codes of sysexits.h, as in the manual.
namespace clusterd {

inline constexpr int kExitUsage = 64;     ///< EX_USAGE: the command line
inline constexpr int kExitNoMaster = 69;  ///< EX_UNAVAILABLE: no master is running
inline constexpr int kExitInternal = 70;  ///< EX_SOFTWARE: a bug in clusterd
inline constexpr int kExitSystem = 71;    ///< EX_OSERR: the system refused something
inline constexpr int kExitGaveUp = 75;    ///< EX_TEMPFAIL: too many children have died
inline constexpr int kExitConfig = 78;    ///< EX_CONFIG: app.conf

}  // namespace clusterd
