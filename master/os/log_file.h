#pragma once

#include "common/error.h"

#include <string>
#include <sys/types.h>
#include <utility>

namespace clusterd::os {

/// The file that our stdout and stderr are. It is appended to, so that others may write to it too.
class LogFile {
 public:
  /// Makes stdout and stderr this file. Symbolic links on the way to its folder are followed, now
  /// and never again; one in its own place is not.
  [[nodiscard]] static Result<LogFile> open(const std::string& path);

  /// Opens what is at the path now, after the file was renamed. If that is not possible, all stays
  /// as it is.
  [[nodiscard]] Result<void> reopen() const;

 private:
  explicit LogFile(std::string path) : path_(std::move(path)) {}

  std::string path_;  ///< without a symbolic link in it
};

}  // namespace clusterd::os
