#include "common/log.h"

#include "common/escaped.h"
#include "common/log_line.h"
#include "common/log_streams.h"
#include "common/tail.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <unistd.h>

namespace clusterd::log {
namespace {

constexpr std::size_t kRemembered = 8 * 1024;

Format& chosen_format() {
  static Format instance = Format::text;
  return instance;
}

std::string as_json(std::chrono::system_clock::time_point when, std::string_view level,
                    std::string_view text) {
  const LogOrigin us{LogOrigin::Kind::master, 0, ::getpid()};
  return log_line_json(when, us, {level}, text) + "\n";
}

std::string said_of_dropped(std::uint64_t count) {
  const std::string text = "(" + std::to_string(count) + " log lines dropped)";
  if (chosen_format() == Format::text) return text + "\n";
  return as_json(std::chrono::system_clock::now(), "warning", text);
}

std::unique_ptr<LogStreams>& streams() {
  static std::unique_ptr<LogStreams> instance;
  return instance;
}

/// The streams come and go with what stdout and stderr are.
struct Memory {
  std::uint64_t dropped = 0;  ///< by those that were before
  std::optional<Tail> tail;
  OnLine on_line;
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
    const auto level = spdlog::level::to_string_view(message.level);
    const std::string_view word(level.data(), level.size());
    const std::string_view text(message.payload.data(), message.payload.size());
    if (memory().on_line) memory().on_line(message.time, word, text);
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    keep({line.data(), line.size()});
    if (chosen_format() == Format::json) {
      return streams()->write(as_json(message.time, word, text));
    }
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

void start(std::string_view who, Level level, Format format) {
  const char* no_colour = std::getenv("NO_COLOR");
  const bool plain = no_colour != nullptr && *no_colour != '\0';
  chosen_format() = format;
  streams() = std::make_unique<LogStreams>(&said_of_dropped);
  logger() = std::make_shared<spdlog::logger>(
      std::string(who), std::make_shared<Sink>(::isatty(STDERR_FILENO) == 1 && !plain));
  logger()->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-7l%$ %n[%P] %v");
  logger()->set_level(to_spdlog(level));
}

void set_level(Level level) {
  if (logger()) logger()->set_level(to_spdlog(level));
}

void set_format(Format format) { chosen_format() = format; }

Format format() { return chosen_format(); }

void write_into(int pipe) {
  if (streams()) streams()->write_into(pipe);
}

std::uint64_t written() { return streams() ? streams()->written() : 0; }

void aside(std::string_view text) {
  const std::string whole = "clusterd: " + escaped(text) + "\n";
  if (streams()) streams()->aside(whole);
}

std::string take_rest() { return streams() ? streams()->take_rest() : ""; }

void on_line(OnLine callback) { memory().on_line = std::move(callback); }

/// Here, for all: what a line quotes of a child, or of anybody, is one line and moves no cursor.
void write(Level level, std::string_view words) {
  const std::string text = escaped(words);
  if (logger()) logger()->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

void pass(Stream to, std::string_view lines) {
  if (to == Stream::error) keep(lines);
  if (streams()) streams()->pass(to == Stream::out, lines);
}

void say(std::string_view line) {
  const std::string whole = std::string(line) + "\n";
  keep(whole);
  if (streams()) {
    const bool json = chosen_format() == Format::json;
    streams()->write(json ? as_json(std::chrono::system_clock::now(), "error", line) : whole);
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
  streams() = std::make_unique<LogStreams>(&said_of_dropped);
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
