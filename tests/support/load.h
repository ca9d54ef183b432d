#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace clusterd::test {

struct LoadOptions {
  /// Closed loop: as many connections at a time. Each client has a source address of its own
  /// (127.0.1.1 and on; at most 250), so that `sticky` sees clients and ports do not run out.
  unsigned clients = 64;
  /// Open loop: connections begun a second, whatever the server does. A closed loop slows down with
  /// the server and so hides what it loses. 0 = closed loop.
  double rate = 0;
  std::uint64_t most = 0;  ///< begins no more than that; 0 = until stop()
  std::chrono::milliseconds patience = std::chrono::seconds(5);  ///< for a whole answer
};

/// What became of one connection; exactly one of these.
struct Outcome {
  enum class Kind : std::uint8_t {
    done,        ///< a whole answer, with the id of the request
    refused,     ///< at connect
    reset,       ///< reset, or ended, before a whole answer
    unanswered,  ///< no whole answer within the patience
    wrong_id,    ///< somebody else's answer
    local,       ///< the load itself was short of something: says nothing about the server
  };
  Kind kind = Kind::local;
  pid_t worker = 0;                            ///< who answered
  std::chrono::microseconds took{};            /// since connect; in the open loop since it was due
  std::chrono::steady_clock::time_point at{};  ///< of the end
};

struct LoadReport {
  std::uint64_t begun = 0;
  std::vector<Outcome> outcomes;  ///< in the order of their ends

  [[nodiscard]] std::uint64_t count(Outcome::Kind kind) const;
  [[nodiscard]] std::uint64_t done() const { return count(Outcome::Kind::done); }
  /// Refused, reset or unanswered.
  [[nodiscard]] std::uint64_t lost() const;
  /// Each request begun has one outcome, each answer is its own, and the load was short of nothing.
  [[nodiscard]] bool sound() const;
  /// Of the time to the answer: 0.5 for the median, 0.99. `without` leaves out one worker's.
  [[nodiscard]] std::chrono::microseconds percentile(double part, pid_t without = 0) const;
  /// Answers of each worker.
  [[nodiscard]] std::map<pid_t, std::uint64_t> by_worker() const;
  /// On one line, for CAPTURE.
  [[nodiscard]] std::string text() const;
};

/// Clients of a fixture worker, in the background: each request on a connection of its own, with an
/// id that the answer has to bring back.
class Load {
 public:
  explicit Load(std::uint16_t port, LoadOptions options = {});
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load();

  /// So far.
  [[nodiscard]] std::uint64_t done() const;
  [[nodiscard]] std::uint64_t ended() const;

  /// Begins no more, and waits for those that are open: no longer than their patience. Once; later
  /// calls give an empty report.
  [[nodiscard]] LoadReport stop();
  /// Waits for the end of the `most` connections.
  [[nodiscard]] LoadReport finish();

 private:
  class Loop;
  LoadReport join();

  std::unique_ptr<Loop> loop_;
  std::thread thread_;
};

}  // namespace clusterd::test
