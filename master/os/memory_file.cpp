#include "master/os/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace clusterd::os {

Result<UniqueFd> memory_file(const std::string& name, std::string_view text) {
  UniqueFd fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return errno_error("make a file in memory");
  while (!text.empty()) {
    const ssize_t written = ::write(fd.get(), text.data(), text.size());
    if (written < 0) return errno_error("write to a file in memory");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

}  // namespace clusterd::os
