#include "common/log_streams.h"

#include "common/clock.h"

#include <array>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace clusterd {
namespace {

constexpr std::size_t kMostWaiting = 1280 * 1024;
/// Of that, what the log has to itself.
constexpr std::size_t kReserve = 256 * 1024;
constexpr auto kLastChance = std::chrono::seconds(1);
constexpr int kNobodyReadsMs = 100;

bool same_file(int one, int other) {
  struct stat a{};
  struct stat b{};
  return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

}  // namespace

LogStreams::LogStreams(NonblockingWriter::Words said_of_dropped)
    : said_of_dropped_(std::move(said_of_dropped)), error_(STDERR_FILENO, kMostWaiting, kReserve) {
  error_.say_dropped_as(said_of_dropped_);
  // With a writer for each, what one left half written the other would write into.
  if (same_file(STDOUT_FILENO, STDERR_FILENO)) return;
  out_.emplace(STDOUT_FILENO, kMostWaiting);
  out_->say_dropped_as(said_of_dropped_);
}

void LogStreams::write_into(int pipe) {
  pipe_.emplace(pipe, kMostWaiting, kReserve);
  pipe_->say_dropped_as(said_of_dropped_);
}

void LogStreams::write(std::string_view line) {
  tell_if_waiting([&] { ours().write(line); });
}

void LogStreams::pass(bool to_stdout, std::string_view lines) {
  tell_if_waiting([&] { (!pipe_ && to_stdout && out_ ? *out_ : ours()).pass(lines); });
}

void LogStreams::aside(std::string_view line) {
  tell_if_waiting([&] { error_.write(line); });
}

bool LogStreams::flush() {
  const bool out = !out_ || out_->flush();
  const bool pipe = !pipe_ || pipe_->flush();
  return error_.flush() && out && pipe;
}

void LogStreams::finish() {
  const TimePoint end = Clock::now() + kLastChance;
  while (!flush() && Clock::now() < end) {
    std::array<pollfd, 2> slow{{{-1, POLLOUT, 0}, {-1, POLLOUT, 0}}};
    if (error_.waiting()) slow[0].fd = error_.fd();
    if (out_ && out_->waiting()) slow[1].fd = out_->fd();
    if (::poll(slow.data(), slow.size(), kNobodyReadsMs) <= 0) break;
  }
}

std::uint64_t LogStreams::dropped() const {
  return error_.dropped() + (out_ ? out_->dropped() : 0) + (pipe_ ? pipe_->dropped() : 0);
}

bool LogStreams::waiting() const {
  return error_.waiting() || (out_ && out_->waiting()) || (pipe_ && pipe_->waiting());
}

void LogStreams::tell_if_waiting(const std::function<void()>& write) {
  const bool waited = waiting();
  write();
  if (!waited && waiting() && on_waiting) on_waiting();
}

}  // namespace clusterd
