#pragma once

#include "agent/old_logs.h"
#include "common/error.h"
#include "common/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

namespace clusterd::agent {

/// The file that the log is in, and those beside it that were. It is a regular file, found by its
/// folder, and neither of them through a symbolic link.
class LogFile {
 public:
  /// `path` is absolute, and its folder's real one. The file is made if there is none.
  [[nodiscard]] static Result<LogFile> open(const std::string& path);

  /// Opens what is at the path now. If that cannot be, all stays as it is.
  [[nodiscard]] Result<void> reopen();

  /// Moves up to `most` bytes from the pipe to the end of the file. Gives how many, 0 if there are
  /// none. It is the kernel that moves them: a process that is killed meanwhile has lost none of
  /// them, and an error (a full disk) leaves in the pipe what is not written.
  [[nodiscard]] Result<std::size_t> take(int pipe, std::size_t most);

  [[nodiscard]] std::uint64_t size() const;
  /// Of the last line.
  [[nodiscard]] std::time_t written_at() const;
  /// It is empty, or ends with a newline.
  [[nodiscard]] bool is_whole() const;
  /// It is still what its path leads to.
  [[nodiscard]] bool is_at_its_path() const;

  /// Gives the file another name, never that of another one, and opens a new one. If that cannot
  /// be, it goes on in the same file, which has its name again unless somebody has taken that.
  [[nodiscard]] Result<void> rename_to(const std::string& name);

  /// The old ones, with their sizes. The file that is written is none, whatever its name is now.
  [[nodiscard]] std::vector<OldLog> old() const;
  /// All that has the name of an old one, be it a folder or a link.
  [[nodiscard]] Result<std::vector<OldLog>> named_alike() const;
  [[nodiscard]] Result<void> remove(const std::string& name) const;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] int folder() const { return folder_.get(); }

 private:
  explicit LogFile(std::string path);

  std::string path_;
  std::string name_;
  UniqueFd folder_;
  UniqueFd file_;
};

}  // namespace clusterd::agent
