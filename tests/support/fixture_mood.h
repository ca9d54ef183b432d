#pragma once

#include <string>

namespace clusterd::test {

/// A start that goes otherwise, by the environment:
///
///   FIXTURE_LISTEN="NAME NAME"    the listeners that it serves, where there is more than one
///   FIXTURE_DIE_AT_START=CODE     says so on stderr, and exits before it says hello
///   FIXTURE_NEVER_READY=1         says hello, and no more
///   FIXTURE_READY_AFTER_MS=N      ready so much later
///   FIXTURE_DIE_AFTER_MS=N        exits with 3 so long after it is ready
///   FIXTURE_WATCHDOGS=N           says WATCHDOG=1 each 100 ms, N times in all
///   FIXTURE_MOOD_FILE=PATH        a file of such lines, read at the start; they count before the
///                                 environment. So a test changes the mood of those to come without
///                                 a word to the master. A file that is not there says nothing.
///
/// "" if `name` (without FIXTURE_) is not set.
[[nodiscard]] std::string mood(const std::string& name);

}  // namespace clusterd::test
