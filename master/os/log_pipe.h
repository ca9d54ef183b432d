#pragma once

#include "common/error.h"
#include "common/unique_fd.h"
#include "master/os/identity.h"
#include "master/os/spawn.h"

#include <optional>
#include <string>
#include <string_view>

namespace clusterd::os {

/// What the log goes through to the process that writes its file. The master has both ends for its
/// whole life, so that what is written waits there while that process is another, or none.
struct LogPipe {
  UniqueFd read;
  UniqueFd write;
};

/// Its ends do not block.
[[nodiscard]] Result<LogPipe> open_log_pipe();

/// The path with its folder's real one, in which no symbolic link is. The file need not be there.
[[nodiscard]] Result<std::string> without_links(const std::string& path);

/// The end of a log whose writer is gone: appends what is left in the pipe, and then `rest`, to the
/// file. As `identity`, if there is one, and for good: nothing else can follow.
[[nodiscard]] Result<void> append_rest(const std::string& path, int pipe, std::string_view rest,
                                       const std::optional<Identity>& identity);

}  // namespace clusterd::os
