#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

/// The process's log: one line an event on stderr, and what other programs print, on stdout and
/// stderr; never blocking (see NonblockingWriter). The only global of the program. Silent until
/// start().
namespace clusterd::log {

enum class Level : std::uint8_t { trace, debug, info, warn, error, off };

/// `who` stands in each line: "master", "agent". Colour if stderr is a terminal and NO_COLOR is
/// not set.
void start(std::string_view who, Level level);
/// Of the lines that follow.
void set_level(Level level);

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
