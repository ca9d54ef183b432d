#include "tests/support/cluster_host.h"
#include "tests/support/every_order.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <variant>
#include <vector>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;
using testing::ClusterHost;
using testing::must;

constexpr std::uint32_t kWorkers = 8;
constexpr ChildTimeouts kWorker{10s, 5s, 3s};
constexpr ChildTimeouts kAgent{10s, 2s, 2s};
constexpr Duration kLongestDelay = 800ms;
/// What a good child itself takes: to start, and to end after a signal.
constexpr Duration kLongestStart = 50ms;
constexpr Duration kLongestEnd = 50ms;
constexpr Duration kLongestStop =
    kWorker.drain + kWorker.kill + kAgent.drain + kAgent.kill + 2 * kLongestEnd;

Plan make_plan(std::uint32_t workers) {
  Plan plan;
  plan.workers = workers;
  plan.worker = kWorker;
  plan.agent = kAgent;
  plan.backoff_first = 100ms;
  plan.backoff_max = kLongestDelay;
  return plan;
}

/// False if nothing comes of it: what follows is then the same as without it.
bool does(ClusterHost& host, Role role, const ChildEvent& event) {
  const auto child = host.last_child(role);
  return child && !host.happens_to(*child, event).empty();
}

bool goes_on(ClusterHost& host, Role role) {
  const auto child = host.last_child(role);
  if (!child) return false;
  const bool spawned = host.cluster.children().at(*child).fsm.state() == ChildState::spawned;
  return does(host, role, spawned ? ChildEvent{SaidHello{}} : ChildEvent{SaidReady{}});
}

bool dies(ClusterHost& host, Role role) {
  const auto child = host.last_child(role);
  if (!child) return false;
  (void)host.exits(*child);
  must(host.exits(*child).empty(), "nobody dies twice");
  return true;
}

/// The clock goes on until something comes of it.
bool time_passes(ClusterHost& host) {
  while (!host.timers.empty()) {
    if (!host.fire_earliest().empty()) return true;
  }
  return false;
}

bool stops(ClusterHost& host, bool now) {
  const bool first = !host.stopping;
  const bool effect = !host.happens(StopRequested{now}).empty();
  if (first) host.must_finish_by_exits();
  return effect;
}

bool is_recycled(ClusterHost& host) {
  const auto child = host.last_child(Role::worker);
  return child && !host.happens(RecycleRequested{*child, "it is old"}).empty();
}

bool rolls_out(ClusterHost& host) {
  Plan plan = make_plan(1);
  plan.settle = 50ms;
  return !host.happens(RolloutRequested{plan}).empty();
}

bool scales(ClusterHost& host, int by) {
  const int to = static_cast<int>(host.cluster.slots().size()) + by;
  if (to < 1 || to > 3) return false;
  return !host.happens(ScaleRequested{static_cast<std::uint32_t>(to)}).empty();
}

const std::vector<testing::Move<ClusterHost>> kMoves{
    {"agent goes on", [](ClusterHost& host) { return goes_on(host, Role::agent); }},
    {"agent hangs up", [](ClusterHost& host) { return does(host, Role::agent, ChannelEnded{}); }},
    {"agent dies", [](ClusterHost& host) { return dies(host, Role::agent); }},
    {"worker goes on", [](ClusterHost& host) { return goes_on(host, Role::worker); }},
    {"worker hangs up", [](ClusterHost& host) { return does(host, Role::worker, ChannelEnded{}); }},
    {"worker lies",
     [](ClusterHost& host) { return does(host, Role::worker, BrokeProtocol{"it lies"}); }},
    {"worker says suicide",
     [](ClusterHost& host) { return does(host, Role::worker, SaidSuicide{"it says so"}); }},
    {"worker hangs", [](ClusterHost& host) { return does(host, Role::worker, Hung{"it stands"}); }},
    {"worker is recycled", [](ClusterHost& host) { return is_recycled(host); }},
    {"rollout", [](ClusterHost& host) { return rolls_out(host); }},
    {"scaled up", [](ClusterHost& host) { return scales(host, 1); }},
    {"scaled down", [](ClusterHost& host) { return scales(host, -1); }},
    {"worker dies", [](ClusterHost& host) { return dies(host, Role::worker); }},
    {"time passes", [](ClusterHost& host) { return time_passes(host); }},
    {"stop", [](ClusterHost& host) { return stops(host, false); }},
    {"stop now", [](ClusterHost& host) { return stops(host, true); }},
};

}  // namespace

TEST_CASE("a cluster that starts keeps all promises in every order of events") {
  ClusterHost host(make_plan(1));
  (void)host.happens(Start{});
  const std::size_t played = testing::every_order(host, 6, kMoves);
  CHECK(played > 15'000);
}

TEST_CASE("a cluster that runs keeps all promises in every order of events") {
  ClusterHost host(make_plan(1));
  (void)host.happens(Start{});
  for (const Role role : {Role::agent, Role::agent, Role::worker, Role::worker}) {
    (void)goes_on(host, role);
  }
  REQUIRE(host.announced);
  const std::size_t played = testing::every_order(host, 5, kMoves);
  CHECK(played > 10'000);
}

namespace {

/// A machine under virtual time whose processes start, misbehave and end at random.
class Machine {
 public:
  explicit Machine(std::uint64_t seed) : random_(seed) { obey(host_.happens(Start{})); }

  /// From now on all children, old and new, may do something wrong.
  void start_crasher() {
    crashing_ = true;
    for (const auto& [id, held] : host_.children) misbehave_within(Duration(1s), id);
  }

  /// No child does anything wrong any more; but what one did not do, it will not.
  void stop_crasher() { crashing_ = false; }

  void stop() { obey(host_.happens(StopRequested{})); }

  void run_for(Duration duration) {
    const TimePoint end = host_.now + duration;
    while (step(end)) continue;
    host_.now = end;
  }

  /// False, and nothing done, if nothing happens before `end`.
  bool step(TimePoint end) {
    const bool timer = !host_.timers.empty() &&
                       (due_.empty() || host_.timers.begin()->first <= due_.begin()->first);
    if (timer) {
      if (host_.timers.begin()->first > end) return false;
      obey(host_.fire_earliest());
      return true;
    }
    if (due_.empty() || due_.begin()->first > end) return false;
    host_.now = due_.begin()->first;
    const Deed deed = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    if (!deed.bad || crashing_) obey(host_.happens_to(deed.child, deed.event));
    return true;
  }

  [[nodiscard]] const ClusterHost& host() const { return host_; }
  [[nodiscard]] TimePoint now() const { return host_.now; }
  [[nodiscard]] std::uint32_t lives() const {
    const auto found = host_.spawned.find(Role::worker);
    return found == host_.spawned.end() ? 0 : found->second;
  }

 private:
  struct Deed {
    ChildId child;
    ChildEvent event;
    bool bad = false;  ///< not done if the crasher has stopped
  };

  std::uint32_t pick(std::uint32_t count) {
    return std::uniform_int_distribution<std::uint32_t>(0, count - 1)(random_);
  }
  Duration up_to(Duration most) {
    return Duration(std::uniform_int_distribution<Duration::rep>(1, most.count())(random_));
  }

  void later(Duration delay, ChildId child, ChildEvent event, bool bad = false) {
    due_.emplace(host_.now + delay, Deed{child, std::move(event), bad});
  }

  void obey(const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* spawn = std::get_if<Spawn>(&action)) {
        is_born(spawn->child);
      } else if (const auto* send = std::get_if<SignalChild>(&action)) {
        const bool ends = send->signal == Signal::kill || obedient_.at(send->child);
        if (ends) later(up_to(kLongestEnd), send->child, killed_by(send->signal));
      } else if (const auto* leave = std::get_if<LeaveRotation>(&action)) {
        if (obedient_.at(leave->child)) later(up_to(kLongestEnd), leave->child, exited(0));
      }
    }
  }

  void is_born(ChildId child) {
    obedient_[child] = !crashing_ || pick(2) == 0;
    switch (crashing_ ? pick(12) : 11) {
      case 0:
        return later(0s, child,
                     ProcessExited{{ExitStatus::Kind::not_started, 11, false, "fork"}, {}}, true);
      case 1:
        return later(up_to(100ms), child, exited(1), true);
      case 2:
        return;  // never says a word
      case 3:
        return later(up_to(100ms), child, SaidReady{}, true);  // without hello
      case 4:
        later(1ms, child, SaidHello{});
        return later(up_to(20s), child, exited(2), true);  // never ready
      case 5:
        later(1ms, child, SaidHello{});
        return later(up_to(2s), child, ChannelEnded{}, true);
      default:
        return starts_well(child);
    }
  }

  void starts_well(ChildId child) {
    const Duration hello = up_to(kLongestStart / 2);
    const Duration ready = hello + up_to(kLongestStart / 2);
    later(hello, child, SaidHello{});
    later(ready, child, SaidReady{});
    if (!crashing_) return;
    misbehave_within(ready + (pick(4) == 0 ? Duration(10s) : Duration(300ms)), child);
  }

  void misbehave_within(Duration longest, ChildId child) {
    const Duration life = up_to(longest);
    switch (pick(4)) {
      case 0:
        return later(life, child, ChannelEnded{}, true);
      case 1:
        return later(life, child, BrokeProtocol{"it lies"}, true);
      case 2:
        return later(life, child, SaidHello{}, true);
      default:
        return later(life, child, killed_by(Signal::kill), true);
    }
  }

  static ProcessExited exited(int code) { return {{ExitStatus::Kind::exited, code, false, {}}}; }
  static ProcessExited killed_by(Signal signal) {
    return {{ExitStatus::Kind::signaled, signal == Signal::kill ? 9 : 15, false, {}}};
  }

  std::mt19937_64 random_;
  bool crashing_ = false;
  std::multimap<TimePoint, Deed> due_;
  std::map<ChildId, bool> obedient_;
  ClusterHost host_{make_plan(kWorkers)};
};

}  // namespace

TEST_CASE("all workers are back soon after thousands of them died at random") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    Machine machine(seed);
    machine.run_for(3 * kLongestStart);
    REQUIRE(machine.host().cluster.state() == ClusterState::running);

    machine.start_crasher();
    const TimePoint give_up = machine.now() + 24h;
    while (machine.lives() < 1000 && machine.step(give_up)) continue;
    REQUIRE(machine.lives() >= 1000);
    CHECK(machine.host().cluster.state() == ClusterState::running);

    machine.stop_crasher();
    machine.run_for(kWorker.ready + kWorker.kill + kLongestDelay + kLongestEnd + kLongestStart);
    CHECK(machine.host().cluster.ready() == kWorkers);
    const std::uint32_t lives = machine.lives();
    machine.run_for(1h);
    CHECK(machine.lives() == lives);

    machine.stop();
    machine.run_for(kLongestStop);
    CHECK(machine.host().outcome == Outcome{});
  }
}

TEST_CASE("a stop amid random deaths ends within its deadlines") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Machine machine(seed);
    machine.run_for(3 * kLongestStart);
    machine.start_crasher();
    machine.run_for(std::chrono::milliseconds(100 * seed));
    machine.stop();
    machine.run_for(kLongestStop);
    CHECK(machine.host().outcome == Outcome{});
  }
}

TEST_CASE("a start amid random deaths ends up running or says why not") {
  int started = 0;
  int failed = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Machine machine(seed);
    machine.start_crasher();
    const TimePoint give_up = machine.now() + 1h;
    while (!machine.host().announced && !machine.host().outcome && machine.step(give_up)) continue;
    if (machine.host().announced) {
      ++started;
    } else {
      ++failed;
      REQUIRE(machine.host().outcome);
      CHECK(machine.host().outcome->kind == Outcome::Kind::never_started);
      CHECK_FALSE(machine.host().outcome->why.empty());
    }
  }
  CHECK(started + failed == 100);
  CHECK(failed > 0);
}

}  // namespace clusterd::core
