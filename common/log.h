#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

/// The process's log: one line an event on stderr, and what other programs print, on stdout and
/// stderr; never blocking (see NonblockingWriter). The only global of the program. Silent until
/// start().
namespace clusterd::log {

enum class Level : std::uint8_t { trace, debug, info, warn, error, off };
enum class Format : std::uint8_t { text, json };

/// `who` stands in each line: "master", "agent". Colour if stderr is a terminal and NO_COLOR is
/// not set.
void start(std::string_view who, Level level, Format format = Format::text);
/// Of the lines that follow.
void set_level(Level level);
void set_format(Format format);
[[nodiscard]] Format format();

/// From now on all goes into this pipe and nothing to stdout and stderr. Its end stays the
/// caller's.
void write_into(int pipe);
/// Bytes that went into the pipe.
[[nodiscard]] std::uint64_t written();
/// A line on stderr, for who looks there since the log goes nowhere.
void aside(std::string_view text);
/// What waits for room in the pipe, to be written by somebody else.
[[nodiscard]] std::string take_rest();

/// Called with each line of our own that is important enough.
using OnLine = std::function<void(std::chrono::system_clock::time_point when,
                                  std::string_view level, std::string_view text)>;
void on_line(OnLine callback);

void write(Level level, std::string_view text);
inline void debug(std::string_view text) { write(Level::debug, text); }
inline void info(std::string_view text) { write(Level::info, text); }
inline void warn(std::string_view text) { write(Level::warn, text); }
inline void error(std::string_view text) { write(Level::error, text); }

enum class Stream : std::uint8_t { out, error };

/// Passes on whole lines of another program, as they are, to our own stdout or stderr. There they
/// share a bounded buffer with the log, which has a part of it to itself.
void pass(Stream to, std::string_view lines);

/// A line on stderr without time and level; before start() as well.
void say(std::string_view line);

/// Called when a line had to wait, from within write(): ask for flush() to be called soon.
void on_waiting(std::function<void()> callback);

/// Sends on what waits. True if nothing is left.
bool flush();

/// Lines that nobody could be given, since start().
[[nodiscard]] std::uint64_t dropped();

/// Call it after stdout and stderr have become something else.
void reopened();

/// Keeps the last lines of the log and of what other programs print on stderr, for who starts us
/// and does not see them; until forget().
void remember();
void forget();
[[nodiscard]] std::string last_lines();

/// The end of the program: gives what waits a last chance, for as long as somebody reads it, and a
/// second at most.
void finish();

}  // namespace clusterd::log
