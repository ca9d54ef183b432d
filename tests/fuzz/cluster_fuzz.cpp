// Whatever happens in whatever order, and however late, a cluster keeps its promises.
#include "master/core/cluster.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace clusterd::fuzz {
namespace {

using namespace core;
using std::chrono::milliseconds;
using std::chrono::seconds;

Plan plan_of(std::uint32_t workers) {
  Plan plan;
  plan.workers = workers;
  plan.worker = {seconds(10), seconds(5), seconds(3)};
  plan.agent = {seconds(10), seconds(2), seconds(2)};
  plan.restart_delay = RestartDelay(milliseconds(100), milliseconds(800));
  return plan;
}

/// Does what a cluster orders, in memory.
class Host {
 public:
  explicit Host(Decisions& decisions)
      : decisions_(decisions), workers_(1 + decisions.pick(3)), cluster_(plan_of(workers_)) {}

  void step() {
    switch (decisions_.pick(12)) {
      case 0:
        return happens(Start{});
      case 1:
      case 2:
        return happens_to_one(SaidHello{});
      case 3:
      case 4:
        return happens_to_one(SaidReady{});
      case 5:
        return happens_to_one(ChannelEnded{});
      case 6:
        return happens_to_one(BrokeProtocol{"it lies"});
      case 7:
        return happens_to_one(ProcessExited{{ExitStatus::Kind::exited, 1, false, {}}});
      case 8:
        now_ += milliseconds(100) * decisions_.pick(50);
        return;
      case 9:
      case 10:
        return fire_one();
      default:
        // An end is the end of most inputs: two bytes for it.
        if (decisions_.pick(4) == 0) happens(StopRequested{decisions_.pick(2) == 1});
    }
  }

  /// From wherever it is, a stop and exits are all that it needs to finish.
  void must_finish() {
    happens(Start{});
    happens(StopRequested{});
    while (!children_.empty()) {
      happens(ChildHappened{std::prev(children_.end())->first, ProcessExited{}});
    }
    must(finished_, "it ends when nobody is left");
  }

 private:
  struct Held {
    SlotId slot{};
    bool in_rotation = false;
    bool was_in_rotation = false;
    bool killed = false;
  };

  void happens(const Event& event) {
    const bool was_finished = finished_;
    const Actions actions = cluster_.step(now_, event);
    must(!was_finished || actions.empty(), "nothing comes after the end");
    for (const Action& action : actions) {
      std::visit([this](const auto& order) { carry_out(order); }, action);
    }
    must_be_consistent();
  }

  /// To any child that ever was: what is read late is said of one that is gone.
  void happens_to_one(const ChildEvent& event) {
    if (ever_.empty()) return;
    const auto newest = static_cast<std::uint32_t>(std::min<std::size_t>(ever_.size(), 8));
    happens(ChildHappened{ever_[ever_.size() - 1 - decisions_.pick(newest)], event});
  }

  /// A timer is never early, but may be late, and fire after a later one.
  void fire_one() {
    if (timers_.empty()) return;
    const auto few = static_cast<std::uint32_t>(std::min<std::size_t>(timers_.size(), 4));
    const auto chosen = std::next(timers_.begin(), decisions_.pick(few));
    const auto [at, id] = *chosen;
    timers_.erase(chosen);
    now_ = std::max(now_, at);
    happens(TimerFired{id});
  }

  void carry_out(const Spawn& order) {
    must(!stopping_, "nobody is forked while stopping");
    for (const auto& [id, held] : children_) {
      must(id.role != order.child.role || held.slot != order.slot, "a slot has one child");
    }
    must(std::find(ever_.begin(), ever_.end(), order.child) == ever_.end(), "a number is new");
    ever_.push_back(order.child);
    children_[order.child].slot = order.slot;
  }

  void carry_out(const EnterRotation& order) {
    Held& held = living(order.child);
    must(!held.was_in_rotation && !held.killed, "a child enters the rotation once");
    held.in_rotation = true;
    held.was_in_rotation = true;
  }

  void carry_out(const LeaveRotation& order) {
    must(std::exchange(living(order.child).in_rotation, false), "only who is in rotation leaves");
  }

  void carry_out(const SignalChild& order) {
    Held& held = living(order.child);
    must(!held.in_rotation, "who gets connections gets no signal");
    must(!held.killed, "no signal follows KILL");
    must(!order.why.empty(), "a signal has a reason");
    held.killed = order.signal == Signal::kill;
  }

  void carry_out(const Forget& order) {
    must(!living(order.child).in_rotation, "who is forgotten has left the rotation");
    children_.erase(order.child);
  }

  void carry_out(const SetTimer& order) {
    must(order.at > now_, "a timer is in the future");
    must(timer_ids_.insert(order.id).second, "a timer's number is new");
    timers_.emplace(order.at, order.id);
  }

  void carry_out(const StopAccepting&) {
    must(!std::exchange(stopping_, true), "accepting is stopped once");
  }

  void carry_out(const AnnounceReady&) {
    must(!std::exchange(announced_, true) && !stopping_, "it announces itself once");
    must(ready_workers() == workers_, "all are ready when it says so");
  }

  void carry_out(const Finish&) {
    must(stopping_ && children_.empty(), "it ends when nobody is left");
    must(!std::exchange(finished_, true), "it ends once");
  }

  void carry_out(const Note&) {}

  Held& living(ChildId child) {
    const auto found = children_.find(child);
    must(found != children_.end(), "nothing is done with a child that is gone");
    return found->second;
  }

  [[nodiscard]] std::uint32_t ready_workers() const {
    return static_cast<std::uint32_t>(
        std::count_if(children_.begin(), children_.end(), [](const auto& entry) {
          return entry.first.role == Role::worker && entry.second.in_rotation;
        }));
  }

  void must_be_consistent() const {
    const ClusterState state = cluster_.state();
    must((state == ClusterState::finished) == finished_, "finished is the end");
    must((state == ClusterState::stopping || finished_) == stopping_, "who stops does not accept");
    must(state != ClusterState::running || announced_, "running is announced");
    must(cluster_.children().size() == children_.size(), "it knows who is alive");
    must(cluster_.ready() == ready_workers(), "it knows who is ready");
    if (state != ClusterState::running) return;
    for (const SlotFsm& slot : cluster_.slots()) {
      must(slot.incumbent() || slot.state() == SlotState::backing_off,
           "a slot has a child or waits for its next");
    }
  }

  Decisions& decisions_;
  std::uint32_t workers_;
  Cluster cluster_;
  TimePoint now_{seconds(3600)};
  std::map<ChildId, Held> children_;  ///< forked and not forgotten
  std::vector<ChildId> ever_;
  std::multimap<TimePoint, TimerId> timers_;
  std::set<TimerId> timer_ids_;
  bool announced_ = false;
  bool stopping_ = false;
  bool finished_ = false;
};

}  // namespace

void try_input(std::string_view input) {
  Decisions decisions(input);
  Host host(decisions);
  while (!decisions.none_left()) host.step();
  host.must_finish();
}

}  // namespace clusterd::fuzz
