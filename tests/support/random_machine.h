#pragma once

#include "tests/support/cluster_host.h"

#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>

namespace clusterd::testing {

/// What random machines run.
[[nodiscard]] core::Plan random_plan(std::uint32_t workers);

/// What may go wrong, or is asked for, while the crasher is at work.
struct Troubles {
  bool faults = false;           ///< children die, lie, hang up, never get ready, ignore signals
  bool goodbyes = false;         ///< workers say suicide, or hang
  bool orders = false;           ///< an operator recycles, scales and rolls out, all the time
  bool bad_generations = false;  ///< half of what is rolled out does not work
};

/// A machine under virtual time whose processes start, misbehave and end at random, and whose
/// operator is restless. After each step it says whether what nobody wants is gone in time.
class RandomMachine {
 public:
  /// What a good child itself takes: to start, to finish what it holds, to end after a signal.
  static constexpr Duration kLongestStart = std::chrono::milliseconds(50);
  static constexpr Duration kLongestDrain = std::chrono::seconds(2);
  static constexpr Duration kLongestEnd = std::chrono::milliseconds(50);

  explicit RandomMachine(std::uint64_t seed, const core::Plan& plan = random_plan(8));
  RandomMachine(const RandomMachine&) = delete;
  RandomMachine& operator=(const RandomMachine&) = delete;

  /// From now on all children, old and new, may do something wrong.
  void start_crasher(Troubles troubles);
  /// No child does anything wrong any more, and nobody asks for anything; but what a child did not
  /// do, it will not, and a generation that is bad stays bad.
  void stop_crasher() { troubles_ = {}; }

  /// KILL to a worker: one that is not ready yet, one that drains, or any. Gives what it was.
  std::optional<core::ChildState> kill_one();

  void stop();
  void run_for(Duration duration);
  /// False, and nothing done, if nothing happens before `end`.
  bool step(TimePoint end);

  [[nodiscard]] const ClusterHost& host() const { return host_; }
  [[nodiscard]] TimePoint now() const { return host_.now; }
  [[nodiscard]] std::uint32_t lives() const;
  [[nodiscard]] std::uint32_t workers() const {
    return static_cast<std::uint32_t>(host_.cluster.slots().size());
  }
  /// Slots that had a worker that served, and have none now.
  [[nodiscard]] std::uint32_t missing() const;
  [[nodiscard]] bool gave_up() const { return host_.cluster.pool(Role::worker).gave_up; }

 private:
  struct Deed {
    std::function<void()> done;
    bool bad = false;  ///< not done if the crasher has stopped
  };

  std::uint32_t pick(std::uint32_t count);
  Duration up_to(Duration most);

  void happens(const core::Event& event);
  void later(Duration delay, ChildId child, core::ChildEvent event, bool bad = false);
  void obey(const core::Actions& actions);
  void is_born(const core::Spawn& spawn);
  [[nodiscard]] std::optional<std::uint32_t> bad_program(ChildId child) const;
  void is_born_bad(const core::Spawn& spawn, std::uint32_t how);
  void starts_well(ChildId child);
  void misbehave_within(Duration longest, ChildId child);
  void order_soon();
  void order();
  void roll_out();
  [[nodiscard]] bool is_wanted(ChildId id) const;
  void judge();

  core::Plan plan_;
  std::mt19937_64 random_;
  Troubles troubles_;
  std::multimap<TimePoint, Deed> due_;
  std::map<ChildId, bool> obedient_;
  std::map<Generation, std::uint32_t> bad_generations_;  ///< and how
  std::map<std::uint32_t, std::uint32_t> bad_programs_;  ///< the same of Plan::program
  std::uint32_t programs_ = 1;                           ///< the highest Plan::program
  std::uint32_t program_ = 1;                            ///< that in force
  std::uint32_t to_be_program_ = 1;                      ///< that of the rollout
  std::map<ChildId, TimePoint> unwanted_since_;
  std::set<std::uint32_t> served_;  ///< slots that had a worker that was ready
  ClusterHost host_;
};

}  // namespace clusterd::testing
