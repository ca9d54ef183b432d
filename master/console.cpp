#include "master/console.h"

#include "common/log.h"
#include "master/os/daemonize.h"

#include <fcntl.h>
#include <unistd.h>

namespace clusterd {

Console Console::foreground() {
  log::remember();
  return {UniqueFd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)), false};
}

Console Console::of_starter(UniqueFd to_starter) {
  log::remember();
  return {std::move(to_starter), true};
}

void Console::ready() {
  log::forget();
  if (is_starter_ && out_) os::say_ready(std::move(out_));
  out_.reset();
}

void Console::failed() {
  if (out_) os::say_failure(std::move(out_), log::last_lines());
}

}  // namespace clusterd
