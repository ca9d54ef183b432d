#include "master/os/control_socket.h"

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace clusterd::os {
namespace {

/// Makes the missing folders on the way to `folder`, for us alone.
Result<void> make_folders(const std::string& folder) {
  for (std::size_t slash = folder.find('/', 1);; slash = folder.find('/', slash + 1)) {
    const std::string part = folder.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) < 0 && errno != EEXIST) {
      return errno_error("make the folder " + part);
    }
    if (slash == std::string::npos) return {};
  }
}

/// Whoever can write to the folder can put a socket of his own in the place of ours.
Result<void> check_folder(const std::string& folder) {
  struct stat status{};
  if (::stat(folder.c_str(), &status) < 0) return errno_error("look at " + folder);
  if (!S_ISDIR(status.st_mode)) return make_error(folder + " is not a folder");
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return make_error(folder + " belongs to another user");
  }
  const bool others_write = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (others_write && (status.st_mode & S_ISVTX) == 0) {
    return make_error(folder + " is writable by others");
  }
  return {};
}

}  // namespace

Result<UnixListener> open_control_socket(const std::string& path) {
  if (auto fits = check_unix_path(path); !fits) return fits.error();
  const std::string folder = folder_of(path);
  if (auto made = make_folders(folder); !made) return made.error();
  if (auto good = check_folder(folder); !good) return good.error();
  UnixListenerSpec spec;
  spec.path = path;
  spec.rival = "another master is running";
  return UnixListener::open(spec);
}

}  // namespace clusterd::os
