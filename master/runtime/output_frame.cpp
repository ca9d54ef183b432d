#include "master/runtime/output_frame.h"

#include "common/escaped.h"

#include <array>
#include <ctime>
#include <utility>

namespace clusterd::runtime {
namespace {

/// "2026-11-22 23:50:00.123 ", in local time as in the log.
std::string date(std::chrono::system_clock::time_point when) {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch());
  const std::time_t seconds = since.count() / 1000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 32> text{};
  std::size_t length = std::strftime(text.data(), text.size(), "%F %T.", &local);
  const auto rest = static_cast<unsigned>(since.count() % 1000);
  for (const unsigned digit : {rest / 100, rest / 10 % 10, rest % 10}) {
    text[length++] = static_cast<char>('0' + digit);
  }
  text[length++] = ' ';
  return {text.data(), length};
}

/// Most lines hold nothing to escape, and are copied as they are.
void add_line(std::string& to, std::string_view line) {
  while (!line.empty()) {
    std::size_t plain = 0;
    while (plain < line.size() &&
           (line[plain] == '\t' || control_length(line.substr(plain)) == 0)) {
      ++plain;
    }
    to += line.substr(0, plain);
    line.remove_prefix(plain);
    const std::size_t length = control_length(line);
    to += escaped(line.substr(0, length));
    line.remove_prefix(length);
  }
  to += '\n';
}

}  // namespace

std::string OutputFrame::around(log::Stream stream, std::string_view lines,
                                std::chrono::system_clock::time_point when) const {
  const std::string front =
      date(when) + (stream == log::Stream::out ? "stdout  " : "stderr  ") + who_;
  std::string framed;
  framed.reserve(lines.size() + 2 * front.size());
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    framed += front;
    add_line(framed, lines.substr(0, end));
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
  }
  return framed;
}

std::function<void(log::Stream, std::string_view)> to_log(std::optional<OutputFrame> frame) {
  if (!frame) return log::pass;
  return [frame = std::move(*frame)](log::Stream stream, std::string_view lines) {
    log::pass(stream, frame.around(stream, lines, std::chrono::system_clock::now()));
  };
}

}  // namespace clusterd::runtime
