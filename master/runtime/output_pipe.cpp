#include "master/runtime/output_pipe.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>
#include <utility>

namespace clusterd::runtime {
namespace {

using boost::asio::posix::stream_descriptor;

constexpr std::size_t kReadAtOnce = 64 * 1024;
/// After a read of less there is time to let more come: a child that prints a line at a time would
/// wake the master for each.
constexpr std::size_t kMuch = 16 * 1024;
constexpr auto kRest = std::chrono::milliseconds(5);
/// Of a line whose end is not in the pipe yet.
constexpr std::size_t kMostHeld = 8 * 1024;
/// A pipe holds no more (/proc/sys/fs/pipe-max-size) unless somebody goes on writing.
constexpr std::size_t kMostLeft = 1024 * 1024;

}  // namespace

std::shared_ptr<OutputPipe> OutputPipe::open(boost::asio::io_context& io, UniqueFd fd, Take take) {
  std::shared_ptr<OutputPipe> pipe(new OutputPipe(io, std::move(fd), std::move(take)));
  pipe->wait_readable();
  return pipe;
}

OutputPipe::OutputPipe(boost::asio::io_context& io, UniqueFd fd, Take take)
    : pipe_(io, fd.release()), rest_(io), take_(std::move(take)) {}

void OutputPipe::finish() {
  for (std::size_t left = kMostLeft; pipe_.is_open() && left > 0;) {
    const std::size_t got = read();
    if (got == 0) break;
    left -= std::min(left, got);
  }
  close();
}

void OutputPipe::wait_readable() {
  // A handler that is on its way when the pipe is closed comes with success all the same.
  pipe_.async_wait(stream_descriptor::wait_read,
                   [self = shared_from_this()](boost::system::error_code error) {
                     if (!error && self->pipe_.is_open()) self->on_readable();
                   });
}

void OutputPipe::rest() {
  rest_.expires_after(kRest);
  rest_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error && self->pipe_.is_open()) self->wait_readable();
  });
}

void OutputPipe::on_readable() {
  const std::size_t got = read();
  if (!pipe_.is_open()) return;
  if (got >= kMuch) {
    wait_readable();
  } else {
    rest();
  }
}

std::size_t OutputPipe::read() {
  static thread_local char buffer[kReadAtOnce];
  const ssize_t got = ::read(pipe_.native_handle(), buffer, sizeof buffer);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (got <= 0) {
    close();
    return 0;
  }
  add({buffer, static_cast<std::size_t>(got)});
  return static_cast<std::size_t>(got);
}

void OutputPipe::add(std::string_view bytes) {
  const bool more_is_there = bytes.size() == kReadAtOnce;
  if (const auto newline = bytes.rfind('\n'); newline == std::string_view::npos) {
    held_.append(bytes);
  } else if (held_.empty()) {
    take_(bytes.substr(0, newline + 1));
    held_.assign(bytes.substr(newline + 1));
  } else {
    held_.append(bytes.substr(0, newline + 1));
    take_(held_);
    held_.assign(bytes.substr(newline + 1));
  }
  // What is long only since it was not read to its end yet is still in one piece.
  if (held_.size() > kMostHeld && (!more_is_there || held_.size() >= kReadAtOnce)) let_go();
}

void OutputPipe::let_go() {
  if (held_.empty()) return;
  held_ += '\n';
  take_(std::exchange(held_, {}));
}

void OutputPipe::close() {
  if (!pipe_.is_open()) return;
  let_go();
  boost::system::error_code ignored;
  pipe_.close(ignored);
  rest_.cancel();
}

}  // namespace clusterd::runtime
