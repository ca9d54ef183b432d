#include "master/runtime/output_frame.h"

#include "common/escaped.h"
#include "common/timestamp.h"
#include "master/runtime/log_tail.h"

namespace clusterd::runtime {
namespace {

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
                                std::chrono::system_clock::time_point when,
                                log::Format format) const {
  const LogLabel label{stream == log::Stream::out ? "stdout" : "stderr", true};
  const std::string front = local_time(when) + ' ' + std::string(label.word) + ' ' + who_;
  std::string framed;
  framed.reserve(lines.size() + 2 * front.size());
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    if (format == log::Format::json) {
      framed += log_line_json(when, origin_, label, line);
      framed += '\n';
    } else {
      framed += front;
      add_line(framed, line);
    }
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
  }
  return framed;
}

std::function<void(log::Stream, std::string_view)> to_log(const LogOrigin& origin, Framed framed,
                                                          LogTail& tail) {
  return [origin, framed, frame = OutputFrame(origin), &tail](log::Stream stream,
                                                              std::string_view lines) {
    tail.printed(origin, stream, lines);
    const log::Format format = log::format();
    const bool wanted =
        framed == Framed::always || (framed == Framed::in_json && format == log::Format::json);
    if (!wanted) return log::pass(stream, lines);
    log::pass(stream, frame.around(stream, lines, std::chrono::system_clock::now(), format));
  };
}

}  // namespace clusterd::runtime
