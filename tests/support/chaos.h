#pragma once

#include "tests/support/cluster.h"
#include "tests/support/fixture_tally.h"
#include "tests/support/http.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace clusterd::test {

/// Does to a cluster of fixture workers, at random, whatever happens to clusters: kills and stops
/// them, kills the agent, has workers commit suicide, reloads (now and then a generation that
/// cannot start), scales, recycles, asks for the status, and comes as a client that sends nothing
/// or half a request.
class Chaos {
 public:
  static constexpr unsigned kWorkers = 4;

  /// A cluster for it.
  [[nodiscard]] static ClusterOptions options(const std::string& policy, const TempDir& dir);

  /// `dir` as for options().
  Chaos(Cluster& cluster, const TempDir& dir, std::uint32_t seed);

  void run(std::chrono::milliseconds time);
  /// Undoes what does not pass by itself, and waits for the verbs that are under way.
  void settle();

  /// How many connections may be lost by now: what workers that were killed had in their hands,
  /// and one each, which it may just have taken when it was killed.
  [[nodiscard]] std::uint64_t may_lose() const;
  /// What went wrong meanwhile; empty if nothing.
  [[nodiscard]] const std::string& complaints() const { return complaints_; }
  /// What was done how often, on one line.
  [[nodiscard]] std::string text() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Deed {
    const char* name;
    unsigned weight;
    void (Chaos::*act)();
  };
  struct Stopped {
    pid_t pid;
    Clock::time_point until;
  };
  struct Verb {
    std::string name;
    std::unique_ptr<Program> program;
    Clock::time_point begun;
    bool must_fail;
  };
  static const std::array<Deed, 11> kDeeds;

  void kill_worker();
  void kill_all();
  void stop_worker();
  void suicide();
  void reload();
  void reload_bad();
  void scale();
  void recycle();
  void kill_agent();
  void ask_status();
  void half_open();

  [[nodiscard]] unsigned random(unsigned below) { return static_cast<unsigned>(random_() % below); }
  [[nodiscard]] pid_t some_worker();
  void kill(pid_t pid);
  void start(std::vector<std::string> words, bool must_fail = false);
  [[nodiscard]] bool reloads() const;
  void tend(Clock::time_point now);
  void complain(const std::string& what) { complaints_ += what + "\n"; }

  Cluster& cluster_;
  const TempDir& dir_;
  FixtureTally tally_;
  std::mt19937 random_;
  std::array<unsigned, 11> done_{};
  std::vector<pid_t> hurt_;  ///< killed or stopped
  unsigned kills_ = 0;
  std::vector<Stopped> stopped_;
  std::vector<Verb> verbs_;
  std::deque<Client> clients_;  ///< that want nothing
  std::string complaints_;
};

}  // namespace clusterd::test
