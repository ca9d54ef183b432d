#include "agent/rename_new.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>

namespace clusterd::agent {

bool rename_new(int folder, const std::string& from, const std::string& to) {
  if (::renameat2(folder, from.c_str(), folder, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL) return false;
  // A file system that does not know how: the name is one that was free a moment ago.
  struct stat there{};
  if (::fstatat(folder, to.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) errno = EEXIST;
  return errno == ENOENT && ::renameat(folder, from.c_str(), folder, to.c_str()) == 0;
}

}  // namespace clusterd::agent
