#include "common/log.h"

#include "common/clock.h"
#include "common/escaped.h"
#include "common/nonblocking_writer.h"
#include "common/tail.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace clusterd::log {
namespace {

constexpr std::size_t kMostWaiting = 1280 * 1024;
/// Of that, what the log has to itself.
constexpr std::size_t kReserve = 256 * 1024;
constexpr std::size_t kRemembered = 8 * 1024;
constexpr auto kLastChance = std::chrono::seconds(1);
constexpr int kNobodyReadsMs = 100;

bool same_file(int one, int other) {
  struct stat a{};
  struct stat b{};
  return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

/// Our stdout and stderr.
class Streams {
 public:
  Streams() : error_(STDERR_FILENO, kMostWaiting, kReserve) {
    // With a writer for each, what one left half written the other would write into.
    if (!same_file(STDOUT_FILENO, STDERR_FILENO)) out_.emplace(STDOUT_FILENO, kMostWaiting);
  }

  void write(std::string_view line) {
    tell_if_waiting([&] { error_.write(line); });
  }
  void pass(Stream to, std::string_view lines) {
    tell_if_waiting([&] { (to == Stream::out && out_ ? *out_ : error_).pass(lines); });
  }
  [[nodiscard]] std::uint64_t dropped() const {
    return error_.dropped() + (out_ ? out_->dropped() : 0);
  }
  bool flush() {
    const bool out = !out_ || out_->flush();
    return error_.flush() && out;
  }
  void finish();

  std::function<void()> on_waiting;

 private:
  [[nodiscard]] bool waiting() const { return error_.waiting() || (out_ && out_->waiting()); }
  template <typename Write>
  void tell_if_waiting(Write write) {
    const bool waited = waiting();
    write();
    if (!waited && waiting() && on_waiting) on_waiting();
  }

  NonblockingWriter error_;
  std::optional<NonblockingWriter> out_;
};

void Streams::finish() {
  const TimePoint end = Clock::now() + kLastChance;
  while (!flush() && Clock::now() < end) {
    std::array<pollfd, 2> slow{{{-1, POLLOUT, 0}, {-1, POLLOUT, 0}}};
    if (error_.waiting()) slow[0].fd = error_.fd();
    if (out_ && out_->waiting()) slow[1].fd = out_->fd();
    if (::poll(slow.data(), slow.size(), kNobodyReadsMs) <= 0) break;
  }
}

std::unique_ptr<Streams>& streams() {
  static std::unique_ptr<Streams> instance;
  return instance;
}

/// The streams come and go with what stdout and stderr are.
struct Memory {
  std::uint64_t dropped = 0;  ///< by those that were before
  std::optional<Tail> tail;
};

Memory& memory() {
  static Memory instance;
  return instance;
}

void keep(std::string_view lines) {
  if (memory().tail) memory().tail->add(lines);
}

class Sink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit Sink(bool colour) : colour_(colour) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    keep({line.data(), line.size()});
    if (colour_ && message.color_range_end > message.color_range_start) {
      streams()->write(coloured(message, {line.data(), line.size()}));
    } else {
      streams()->write({line.data(), line.size()});
    }
  }
  void flush_() override { streams()->flush(); }

 private:
  static std::string coloured(const spdlog::details::log_msg& message, std::string_view line) {
    const char* colour = "\x1b[2m";
    if (message.level == spdlog::level::info) colour = "\x1b[32m";
    if (message.level == spdlog::level::warn) colour = "\x1b[33m";
    if (message.level >= spdlog::level::err) colour = "\x1b[31m";
    std::string text(line.substr(0, message.color_range_start));
    text += colour;
    text +=
        line.substr(message.color_range_start, message.color_range_end - message.color_range_start);
    text += "\x1b[0m";
    text += line.substr(message.color_range_end);
    return text;
  }

  bool colour_;
};

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

}  // namespace

void start(std::string_view who, Level level) {
  const char* no_colour = std::getenv("NO_COLOR");
  const bool plain = no_colour != nullptr && *no_colour != '\0';
  streams() = std::make_unique<Streams>();
  logger() = std::make_shared<spdlog::logger>(
      std::string(who), std::make_shared<Sink>(::isatty(STDERR_FILENO) == 1 && !plain));
  logger()->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-7l%$ %n[%P] %v");
  logger()->set_level(to_spdlog(level));
}

void set_level(Level level) {
  if (logger()) logger()->set_level(to_spdlog(level));
}

/// Here, for all: what a line quotes of a child, or of anybody, is one line and moves no cursor.
void write(Level level, std::string_view words) {
  const std::string text = escaped(words);
  if (logger()) logger()->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

void pass(Stream to, std::string_view lines) {
  if (to == Stream::error) keep(lines);
  if (streams()) streams()->pass(to, lines);
}

void say(std::string_view line) {
  const std::string whole = std::string(line) + "\n";
  keep(whole);
  if (streams()) {
    streams()->write(whole);
  } else {
    std::fputs(whole.c_str(), stderr);
  }
}

void on_waiting(std::function<void()> callback) {
  if (streams()) streams()->on_waiting = std::move(callback);
}

bool flush() { return !streams() || streams()->flush(); }

std::uint64_t dropped() { return memory().dropped + (streams() ? streams()->dropped() : 0); }

void reopened() {
  if (!streams()) return;
  streams()->flush();
  memory().dropped += streams()->dropped();
  auto on_waiting = std::move(streams()->on_waiting);
  streams() = std::make_unique<Streams>();
  streams()->on_waiting = std::move(on_waiting);
}

void remember() { memory().tail.emplace(kRemembered); }

void forget() { memory().tail.reset(); }

std::string last_lines() {
  const std::string text = memory().tail ? memory().tail->text() : "";
  return text.empty() ? text : text + "\n";
}

void finish() {
  if (streams()) streams()->finish();
}

}  // namespace clusterd::log
