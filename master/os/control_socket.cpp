#include "master/os/control_socket.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace clusterd::os {
namespace {

/// Opens a folder that we have made to a group, and its way there to all: what is in it has modes
/// of its own. By descriptor, so that it is the one that we made.
Result<void> let_pass(const std::string& folder, bool last, gid_t group) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return errno_error("open the folder " + folder);
  if (!last) {
    if (::fchmod(fd.get(), 0711) == 0) return {};
    return errno_error("change the mode of the folder " + folder);
  }
  if (::fchown(fd.get(), static_cast<uid_t>(-1), group) < 0) {
    return errno_error("change the group of the folder " + folder);
  }
  if (::fchmod(fd.get(), 0710) == 0) return {};
  return errno_error("change the mode of the folder " + folder);
}

/// Makes the missing folders on the way to `folder`, for us alone or for a group too.
Result<void> make_folders(const std::string& folder, const std::optional<gid_t>& group) {
  for (std::size_t slash = folder.find('/', 1);; slash = folder.find('/', slash + 1)) {
    const std::string part = folder.substr(0, slash);
    const bool last = slash == std::string::npos;
    const bool made = ::mkdir(part.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return errno_error("make the folder " + part);
    if (made && group) {
      if (auto open = let_pass(part, last, *group); !open) return open.error();
    }
    if (last) return {};
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

Result<UnixListener> open_control_socket(const ControlSocketSpec& wanted) {
  if (auto fits = check_unix_path(wanted.path); !fits) return fits.error();
  const std::string folder = folder_of(wanted.path);
  if (auto made = make_folders(folder, wanted.group); !made) return made.error();
  if (auto good = check_folder(folder); !good) return good.error();
  UnixListenerSpec spec;
  spec.path = wanted.path;
  spec.mode = wanted.mode;
  spec.group = wanted.group;
  spec.rival = "another master is running";
  return UnixListener::open(spec);
}

}  // namespace clusterd::os
