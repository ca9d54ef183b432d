#pragma once

#include "common/clock.h"
#include "common/ids.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {

/// Something that happened, for those who are not there: a program that follows the events, a
/// hook, an operator the next morning. What is not set says nothing, and is left out.
struct Event {
  std::string name;  ///< start, fork, exit, ...: the keys of [hooks]
  std::string role;  ///< "master", "agent", "agent program", "worker"
  std::optional<SlotId> slot{};
  std::optional<std::uint32_t> worker{};  ///< its number, which is never used again
  pid_t pid = 0;
  std::optional<Generation> generation{};
  std::optional<int> code{};  ///< what it exited with
  std::string signal{};       ///< what killed it, without the SIG: "KILL"
  std::optional<bool> planned{};
  std::optional<Duration> uptime{};  ///< of the process; for "ready", how long that took
  /// What only some events have.
  std::vector<std::pair<std::string, std::int64_t>> numbers{};
  std::vector<std::pair<std::string, std::string>> texts{};
  std::string reason{};      ///< why, in words
  std::string last_words{};  ///< the end of what it wrote to stderr
};

/// One line of JSON without its newline, at most 64 KiB whatever the texts are: of a long one the
/// beginning is shown, and of the last words the end.
[[nodiscard]] std::string to_json(const Event& event, std::uint64_t seq,
                                  std::chrono::system_clock::time_point time);

}  // namespace clusterd::runtime
