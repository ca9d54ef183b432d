#pragma once

#include "common/error.h"
#include "config/parse.h"

#include <cstddef>
#include <filesystem>
#include <string>

namespace clusterd::config {

/// The longest path that a system call takes, and that a mistake shows whole.
inline constexpr std::size_t kMostPathBytes = 4096;

/// app.conf and each env_file may have so many bytes.
inline constexpr std::size_t kMostFileBytes = 1U << 20U;

/// What this machine, this process and its environment give an app.conf at the path `real_file`.
[[nodiscard]] Surroundings find_surroundings(const std::string& real_file);

/// Empty if `path` is a file that this process may execute, else why not.
[[nodiscard]] std::string why_not_executable(const std::string& path);

/// Empty if `path` is a folder that this process may enter, else why not.
[[nodiscard]] std::string why_not_folder(const std::string& path);

/// Empty if `path` fits into the address of a Unix socket, else why not.
[[nodiscard]] std::string why_not_socket(const std::string& path);

/// `path` as seen from `folder`, which is a real path.
[[nodiscard]] std::string resolved(std::filesystem::path folder, const std::filesystem::path& path);

/// The file that the command's first `word` runs: as seen from `directory` if it has a slash, else
/// the first of that name in PATH.
[[nodiscard]] Result<std::string> find_program(const std::string& word,
                                               const std::string& directory,
                                               const Surroundings& surroundings);

/// `file` without links, "." and "..".
[[nodiscard]] Result<std::string> real_path(const std::string& file);

/// The whole of a regular file. A larger one than `limit` bytes is refused.
[[nodiscard]] std::string first_line(const std::string& file);
[[nodiscard]] Result<std::string> read_file(const std::string& file, std::size_t limit);

}  // namespace clusterd::config
