#include "master/ctl/progress.h"

#include "common/json.h"
#include "config/words.h"

#include <cstddef>
#include <cstdlib>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

namespace clusterd::ctl {
namespace {

constexpr std::size_t kUsualColumns = 80;

bool can_overwrite(int fd) {
  const char* terminal = std::getenv("TERM");
  return ::isatty(fd) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

/// As much of `text` as stays on one line: what has gone on to the next cannot be taken back.
std::string_view fitting(std::string_view text, int fd) {
  winsize size{};
  const bool known = ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  std::size_t room = known ? size.ws_col - std::size_t{1} : kUsualColumns - 1;
  std::size_t end = 0;
  for (; end < text.size() && room > 0; --room) end += scan_utf8(text.substr(end)).length;
  return text.substr(0, end);
}

/// Progress is a courtesy: what cannot be written is lost.
void write_to(int fd, const std::string& text) {
  [[maybe_unused]] const ssize_t written = ::write(fd, text.data(), text.size());
}

}  // namespace

Progress::Progress(int fd) : fd_(fd), in_place_(can_overwrite(fd)) {}

void Progress::show(std::string_view text) {
  const std::string line = config::escaped(text);
  if (!in_place_) return write_to(fd_, "clusterd: " + line + "\n");
  write_to(fd_, "\r" + std::string(fitting(line, fd_)) + "\x1b[K");
  shown_ = true;
}

void Progress::clear() {
  if (shown_) write_to(fd_, "\r\x1b[K");
  shown_ = false;
}

}  // namespace clusterd::ctl
