#include "agent/log_writer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

namespace clusterd::agent {
namespace {

using boost::asio::posix::stream_descriptor;

constexpr std::size_t kAtOnce = 256 * 1024;
/// As much as a pipe holds by default: it takes a copy of so much.
constexpr std::size_t kPeek = 64 * 1024;
constexpr auto kOpenAgain = std::chrono::seconds(5);
constexpr auto kRetry = std::chrono::milliseconds(500);
/// After a new file could not be begun.
constexpr auto kRotateAgain = std::chrono::seconds(60);
/// Between two looks at the clock, which somebody may have set.
constexpr std::time_t kLookAgain = 60;
constexpr auto kJustAfter = std::chrono::milliseconds(2);
constexpr std::size_t kMostAtTheEnd = 4 * 1024 * 1024;

int unread(int pipe) {
  int bytes = 0;
  return ::ioctl(pipe, FIONREAD, &bytes) == 0 ? bytes : 0;
}

}  // namespace

LogWriter::LogWriter(boost::asio::io_context& io, Events events, Now now)
    : io_(io),
      events_(std::move(events)),
      now_(std::move(now)),
      retry_(io),
      clock_(io),
      keeper_(io, [this](const std::string& text) { events_.complain(text); }) {}

Result<void> LogWriter::begin(UniqueFd pipe, std::string path, const LogRules& rules) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return errno_error("make a pipe");
  peek_out_.reset(ends[0]);
  peek_in_.reset(ends[1]);
  path_ = std::move(path);
  rules_ = rules;
  pipe_.emplace(io_, pipe.release());
  auto opened = open();
  if (!opened) open_later();
  return opened;
}

Result<void> LogWriter::open() {
  auto file = LogFile::open(path_);
  if (!file) {
    say(file.error().message());
    return file.error();
  }
  file_.emplace(std::move(*file));
  error_.clear();
  events_.wrote("");
  began_ = file_->size() > 0 ? file_->written_at() : now();
  told_ = began_;
  keeper_.begin(*file_);
  keeper_.tidy(rules_);
  on_clock();
  wait();
  return {};
}

void LogWriter::open_later() {
  retry_.expires_after(kOpenAgain);
  retry_.async_wait([this](boost::system::error_code error) {
    if (!error && !open()) open_later();
  });
}

void LogWriter::begin_again(const LogRules& rules) {
  rules_ = rules;
  if (!file_) return;
  not_before_ = {};
  keeper_.forgive();
  const bool is_the_same = file_->is_at_its_path();
  if (auto opened = file_->reopen(); !opened) {
    events_.complain("the log stays where it was: " + opened.error().message());
  } else if (!is_the_same) {
    began_ = file_->size() > 0 ? file_->written_at() : now();
  }
  due_ = Due::no;
  keeper_.tidy(rules_);
  on_clock();
}

void LogWriter::finish() {
  if (!file_) return;
  std::size_t left = kMostAtTheEnd;
  while (left > 0) {
    const auto moved = file_->take(pipe_->native_handle(), std::min(left, kAtOnce));
    if (!moved || *moved == 0) break;
    left -= *moved;
  }
}

void LogWriter::wait() {
  pipe_->async_wait(stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (!error) on_readable();
  });
}

void LogWriter::on_readable() {
  if (due_ != Due::no && end_line()) rotate();
  if (take(room())) return wait();
  retry_.expires_after(kRetry);
  retry_.async_wait([this](boost::system::error_code error) {
    if (!error) on_readable();
  });
}

/// False if nothing can be written now.
bool LogWriter::take(std::size_t most) {
  const auto moved = file_->take(pipe_->native_handle(), most);
  if (!moved) {
    say(moved.error().message());
    return false;
  }
  if (*moved > 0) say("");
  const std::uint64_t limit = most_in_one(rules_);
  if (due_ == Due::no && limit > 0 && file_->size() >= limit && Clock::now() >= not_before_) {
    due_ = Due::size;
    if (file_->is_whole()) rotate();
  }
  return true;
}

/// What may be written at once, so that a file is no larger than it should be.
std::size_t LogWriter::room() const {
  const std::uint64_t limit = most_in_one(rules_);
  const std::uint64_t size = file_->size();
  if (limit == 0 || size >= limit) return due_ == Due::no ? kAtOnce : kPeek;
  return static_cast<std::size_t>(std::min<std::uint64_t>(kAtOnce, limit - size));
}

void LogWriter::watch_clock() {
  const auto reading = now_();
  const std::time_t now = SystemClock::to_time_t(reading);
  const std::time_t left = std::min(period_end(rules_.every, now) - now, kLookAgain);
  // On the second: `now` is without what is over of it.
  const auto over = reading - SystemClock::from_time_t(now);
  clock_.expires_after(std::chrono::seconds(left) + kJustAfter - over);
  clock_.async_wait([this](boost::system::error_code error) {
    if (!error) on_clock();
  });
}

void LogWriter::on_clock() {
  if (is_over(rules_.every, began_, now())) turn_over();
  watch_clock();
}

/// The lines that wait belong to the time that is over.
void LogWriter::turn_over() {
  auto waiting = static_cast<std::size_t>(unread(pipe_->native_handle()));
  while (waiting > 0) {
    const auto moved = file_->take(pipe_->native_handle(), std::min(waiting, kAtOnce));
    if (!moved || *moved == 0) break;
    waiting -= std::min(waiting, *moved);
  }
  due_ = Due::time;
  if (end_line()) rotate();
}

/// Writes up to the next newline, if the file does not end with one. False if that has not come.
bool LogWriter::end_line() {
  if (file_->is_whole()) return true;
  const int pipe = pipe_->native_handle();
  const ssize_t copied = ::tee(pipe, peek_in_.get(), kPeek, SPLICE_F_NONBLOCK);
  if (copied <= 0) return false;
  std::array<char, kPeek> bytes{};
  const ssize_t got = ::read(peek_out_.get(), bytes.data(), static_cast<std::size_t>(copied));
  const std::string_view seen(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  const std::size_t newline = seen.find('\n');
  const std::size_t most = newline == std::string_view::npos ? seen.size() : newline + 1;
  const auto moved = file_->take(pipe, most);
  return moved && newline != std::string_view::npos && *moved == most;
}

/// What was to be done is done, or tried again when it is next looked at the clock or the size.
void LogWriter::rotate() {
  due_ = Due::no;
  const std::time_t now = this->now();
  const bool over = is_over(rules_.every, told_, now);
  told_ = now;
  if (auto done = begin_file(now); !done) {
    events_.complain("the log goes on in the same file: " + done.error().message());
    not_before_ = Clock::now() + kRotateAgain;
  } else {
    began_ = now;
    keeper_.tidy(rules_);
  }
  if (over) events_.period_over();
}

Result<void> LogWriter::begin_file(std::time_t now) {
  if (!file_->is_at_its_path()) return file_->reopen();  // somebody has moved it
  if (file_->size() == 0) return {};
  const auto alike = file_->named_alike();
  if (!alike) return alike.error();
  const bool by_size = rules_.every == LogRules::Every::size;
  const std::string stamp = stamp_of(rules_.every, by_size ? now : began_);
  return file_->rename_to(next_name(file_->name(), stamp, *alike));
}

void LogWriter::say(std::string error) {
  if (error == error_) return;
  error_ = std::move(error);
  events_.wrote(error_);
}

}  // namespace clusterd::agent
