#include "common/log.h"

#include "common/nonblocking_writer.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>
#include <poll.h>
#include <unistd.h>

namespace clusterd::log {
namespace {

class Sink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit Sink(bool colour) : writer_(STDERR_FILENO), colour_(colour) {}

  NonblockingWriter& writer() { return writer_; }
  std::function<void()> on_waiting;

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const bool waited = writer_.waiting();
    if (colour_ && message.color_range_end > message.color_range_start) {
      writer_.write(coloured(message, {line.data(), line.size()}));
    } else {
      writer_.write({line.data(), line.size()});
    }
    if (!waited && writer_.waiting() && on_waiting) on_waiting();
  }
  void flush_() override { writer_.flush(); }

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

  NonblockingWriter writer_;
  bool colour_;
};

std::shared_ptr<Sink>& sink() {
  static std::shared_ptr<Sink> instance;
  return instance;
}

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
  sink() = std::make_shared<Sink>(::isatty(STDERR_FILENO) == 1 && !plain);
  logger() = std::make_shared<spdlog::logger>(std::string(who), sink());
  logger()->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-7l%$ %n[%P] %v");
  logger()->set_level(to_spdlog(level));
}

void write(Level level, std::string_view text) {
  if (logger()) logger()->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

void on_waiting(std::function<void()> callback) {
  if (sink()) sink()->on_waiting = std::move(callback);
}

bool flush() { return !sink() || sink()->writer().flush(); }

void finish() {
  if (!sink() || flush()) return;
  pollfd ready{sink()->writer().fd(), POLLOUT, 0};
  ::poll(&ready, 1, 100);
  flush();
}

}  // namespace clusterd::log
