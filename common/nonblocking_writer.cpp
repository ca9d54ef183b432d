#include "common/nonblocking_writer.h"

#include <climits>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <utility>

namespace clusterd {

NonblockingWriter::NonblockingWriter(int fd, std::size_t most_waiting, std::size_t reserve)
    : fd_(fd), most_waiting_(most_waiting), reserve_(reserve) {
  struct stat status{};
  if (::fstat(fd, &status) == 0) {
    is_socket_ = S_ISSOCK(status.st_mode);
    is_file_ = S_ISREG(status.st_mode);
  }
  if (is_socket_ || is_file_) return;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  own_.reset(::open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (own_) fd_ = own_.get();
}

void NonblockingWriter::write(std::string_view lines) {
  if (waiting()) flush();
  put(lines, most_waiting_);
}

void NonblockingWriter::pass(std::string_view lines) {
  if (waiting()) flush();
  put(lines, dropped_unsaid_ > 0 ? 0 : most_waiting_ - reserve_);
}

void NonblockingWriter::put(std::string_view lines, std::size_t most) {
  if (lost_unsaid_ > 0 && !waiting()) report_lost();
  const std::size_t written = waiting() ? 0 : try_write(lines);
  if (written == lines.size()) return;
  keep(lines.substr(written), most, written > 0 && lines[written - 1] != '\n');
}

/// Queues the lines that fit. The first one does not count if it was `begun`: what went out in part
/// has to be whole in the end.
void NonblockingWriter::keep(std::string_view lines, std::size_t most, bool begun) {
  const auto end_of_line = [&](std::size_t newline) {
    return newline == std::string_view::npos ? lines.size() : newline + 1;
  };
  std::size_t fits = begun ? end_of_line(lines.find('\n')) : 0;
  const std::size_t room = most - std::min(most, waiting_bytes());
  if (lines.size() <= room) {
    fits = lines.size();
  } else if (const auto last = lines.substr(0, room).rfind('\n'); last != std::string_view::npos) {
    fits = std::max(fits, last + 1);
  }
  buffer_.append(lines.substr(0, fits));
  const auto dropped =
      std::count(lines.begin() + static_cast<std::ptrdiff_t>(fits), lines.end(), '\n');
  dropped_ += static_cast<std::uint64_t>(dropped);
  dropped_unsaid_ += static_cast<std::uint64_t>(dropped);
}

bool NonblockingWriter::flush() {
  sent_ += try_write(std::string_view(buffer_).substr(sent_));
  if (dropped_unsaid_ > 0 && waiting_bytes() <= most_waiting_ / 2) report_dropped();
  if (waiting_bytes() == 0) {
    buffer_ = {};  // with its memory: it is there for bad times
    sent_ = 0;
  } else if (sent_ > buffer_.size() / 2) {
    buffer_.erase(0, std::exchange(sent_, 0));
  }
  return !waiting();
}

std::string NonblockingWriter::take_rest() {
  if (dropped_unsaid_ > 0) report_dropped();
  std::string rest = buffer_.substr(std::exchange(sent_, 0));
  buffer_.clear();
  return rest;
}

void NonblockingWriter::report_dropped() {
  const std::uint64_t count = std::exchange(dropped_unsaid_, 0);
  if (!tell(count, "")) lost_unsaid_ += count;
}

void NonblockingWriter::report_lost() {
  const std::uint64_t count = std::exchange(lost_unsaid_, 0);
  const bool cut = std::exchange(cut_, false);
  if (tell(count, cut ? "\n" : "")) return;
  lost_unsaid_ += count;
  cut_ = cut_ || cut;
}

/// False if this is lost too: then it is the next line's to tell, with what is lost until then.
bool NonblockingWriter::tell(std::uint64_t count, const char* begin) {
  const std::uint64_t lost = lost_unsaid_;
  const std::uint64_t dropped = dropped_;
  const std::string said =
      begin + (words_ ? words_(count) : "(" + std::to_string(count) + " log lines dropped)\n");
  const std::size_t written = waiting() ? 0 : try_write(said);
  if (lost_unsaid_ == lost) {
    buffer_.append(said, written);
    return true;
  }
  lost_unsaid_ = lost;
  dropped_ = dropped;
  return false;
}

void NonblockingWriter::lost(std::string_view bytes, bool begun) {
  const auto count = static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  cut_ = cut_ || begun;
  dropped_ += count;
  lost_unsaid_ += count;
}

std::size_t NonblockingWriter::try_write(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    std::string_view rest = bytes.substr(done);
    if (!is_socket_ && !is_file_ && !own_) {
      // Not opened anew (another user's terminal): then a poll has to say that it will not block.
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, 0) <= 0) break;
      rest = rest.substr(0, PIPE_BUF);  // so much a pipe that is ready takes without blocking
    }
    const ssize_t n = is_socket_
                          ? ::send(fd_, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                          : ::write(fd_, rest.data(), rest.size());
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
      written_ += static_cast<std::uint64_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      lost(bytes.substr(done), done > 0 && bytes[done - 1] != '\n');  // EPIPE, EIO, ENOSPC
      return bytes.size();  // there is nobody to keep it for
    }
  }
  return done;
}

}  // namespace clusterd
