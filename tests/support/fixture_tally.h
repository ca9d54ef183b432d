#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace clusterd::test {

/// What each worker has taken and finished, in a file that only the test reads: what one that was
/// killed had in its hands outlives it there. Workers find the file by FIXTURE_TALLY_FILE, and
/// their place in it by the worker's number.
class FixtureTally {
 public:
  struct Entry {
    std::atomic<pid_t> pid;
    std::atomic<std::uint32_t> taken;
    std::atomic<std::uint32_t> finished;
  };
  static constexpr std::uint32_t kEntries = 16'384;  ///< more workers than a test starts

  /// Makes the file, if there is none.
  explicit FixtureTally(const std::string& path);
  FixtureTally(const FixtureTally&) = delete;
  FixtureTally& operator=(const FixtureTally&) = delete;
  ~FixtureTally();

  [[nodiscard]] Entry& entry(std::uint32_t worker) { return entries_[worker % kEntries]; }
  /// Taken and not finished.
  [[nodiscard]] std::uint32_t held_by(pid_t pid) const;

 private:
  Entry* entries_ = nullptr;
};

/// One connection in the hands of this worker, for as long as the object lives.
class FixtureHold {
 public:
  FixtureHold();
  FixtureHold(const FixtureHold&) = delete;
  FixtureHold& operator=(const FixtureHold&) = delete;
  ~FixtureHold();

 private:
  FixtureTally::Entry* own_;  ///< nullptr: nobody counts
};

}  // namespace clusterd::test
