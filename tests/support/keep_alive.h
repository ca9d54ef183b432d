#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace clusterd::test {

/// What became of the requests of clients that keep their connections.
struct KeepAliveReport {
  std::uint64_t done = 0;
  std::uint64_t told = 0;      ///< answers with "Connection: close": the client came back
  std::uint64_t ended = 0;     ///< ends that were seen before the next request: it came back
  std::uint64_t repeated = 0;  ///< sent while the end was on its way, without a byte of an answer:
                               ///< sent once more, as RFC 9112, 9.3.1 has it
  std::uint64_t lost = 0;      ///< refused, reset, cut short or unanswered

  [[nodiscard]] std::string text() const;
};

/// Clients in the background, one after the other each with one request at a time, on connections
/// that they keep for as long as the server does.
class KeepAliveLoad {
 public:
  KeepAliveLoad(std::uint16_t port, unsigned clients);
  KeepAliveLoad(const KeepAliveLoad&) = delete;
  KeepAliveLoad& operator=(const KeepAliveLoad&) = delete;
  ~KeepAliveLoad();

  [[nodiscard]] std::uint64_t done() const { return done_; }
  [[nodiscard]] KeepAliveReport stop();

 private:
  struct Slot;

  void run(std::uint16_t port, unsigned clients);
  void ask(Slot& slot, std::uint16_t port);
  void hear(Slot& slot);

  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> done_{0};
  KeepAliveReport report_;
  std::thread thread_;
};

}  // namespace clusterd::test
