#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace clusterd::test {

/// A constant load of some clients on a server of any protocol in which the server closes: each
/// connects, sends `request`, and reads to the end, over and over.
class Exchanges {
 public:
  /// An answer is whole if it has `wanted` in it.
  Exchanges(std::uint16_t port, std::string request, std::string wanted);
  Exchanges(const Exchanges&) = delete;
  Exchanges& operator=(const Exchanges&) = delete;
  ~Exchanges() { stop(); }

  void stop();

  [[nodiscard]] std::uint64_t done() const { return done_; }
  /// Accepted, and then reset, closed or left without a whole answer for ten seconds.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

  static constexpr unsigned kClients = 4;

 private:
  void run();
  void exchange();

  std::uint16_t port_;
  std::string request_;
  std::string wanted_;
  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<std::uint64_t> lost_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
  std::atomic<bool> stopped_ = false;
  std::vector<std::thread> clients_;
};

/// What asks php-fpm for a script, in FastCGI.
[[nodiscard]] std::string fastcgi_request(const std::string& script);

}  // namespace clusterd::test
