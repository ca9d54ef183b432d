#include "common/nonblocking_writer.h"

#include <climits>

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace clusterd {

NonblockingWriter::NonblockingWriter(int fd, std::size_t most_waiting)
    : fd_(fd), most_waiting_(most_waiting) {
  struct stat status{};
  is_socket_ = ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
  if (is_socket_) return;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  own_.reset(::open(path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (own_) fd_ = own_.get();
}

void NonblockingWriter::write(std::string_view line) {
  if (waiting() && !flush()) {
    if (buffer_.size() + line.size() > most_waiting_) {
      ++dropped_;
      ++dropped_unsaid_;
      return;
    }
    buffer_.append(line);
    return;
  }
  const std::size_t written = try_write(line);
  buffer_.append(line.substr(written));
}

bool NonblockingWriter::flush() {
  buffer_.erase(0, try_write(buffer_));
  if (waiting()) return false;
  if (dropped_unsaid_ > 0) {
    const std::string said =
        "(" + std::to_string(std::exchange(dropped_unsaid_, 0)) + " log lines dropped)\n";
    buffer_.append(said.substr(try_write(said)));
  }
  return !waiting();
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
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      return bytes.size();  // EPIPE, EIO, ENOSPC: there is nobody to keep it for
    }
  }
  return done;
}

}  // namespace clusterd
