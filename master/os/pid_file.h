#pragma once

#include "common/error.h"
#include "common/unique_fd.h"

#include <string>
#include <sys/types.h>

namespace clusterd::os {

/// A file with our pid for other programs to read. It is ours as long as we hold its lock, whatever
/// number is in it: one that was left behind is taken over, and nobody is ever signalled by it.
/// Removed at the end, if it is still the one that we wrote.
class PidFile {
 public:
  /// No symbolic link is followed at its end, and no file but a plain one is written to. Where the
  /// disk is full the lock alone has to do, and written() says so.
  [[nodiscard]] static Result<PidFile> open(const std::string& path);

  PidFile() = default;
  PidFile(PidFile&&) noexcept = default;
  PidFile& operator=(PidFile&& other) noexcept;
  ~PidFile();

  [[nodiscard]] const Result<void>& written() const { return written_; }

 private:
  PidFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  [[nodiscard]] bool is_at_path() const;
  void write();
  void remove();

  std::string path_;
  UniqueFd fd_;
  Result<void> written_;
};

}  // namespace clusterd::os
