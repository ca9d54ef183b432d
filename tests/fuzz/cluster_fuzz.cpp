// Whatever happens in whatever order, and however late, a cluster keeps its promises. What they are
// is in ClusterHost, which throws when one is broken; nobody catches it here.
#include "tests/fuzz/fuzz.h"
#include "tests/support/cluster_host.h"
#include "tests/support/plans.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace clusterd::fuzz {
namespace {

using namespace core;
using std::chrono::milliseconds;

Plan plan_of(std::uint32_t workers) {
  Plan plan = testing::plan_for(workers);
  plan.settle = milliseconds(500);
  plan.max_generations = 2;
  return plan;
}

/// A machine where the input decides what happens.
class Machine {
 public:
  explicit Machine(Decisions& decisions)
      : decisions_(decisions), host_(plan_of(1 + decisions.pick(3))) {}

  void step() {
    switch (decisions_.pick(18)) {
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
        host_.now += milliseconds(100) * decisions_.pick(50);
        return;
      case 9:
      case 10:
        return fire_one();
      case 11:
        return happens_to_one(SaidSuicide{"it says so"});
      case 12:
        return happens_to_one(Hung{"its loop does not turn"});
      case 13:
        return roll_out();
      case 14:
        return happens(ScaleRequested{1 + decisions_.pick(5)});
      case 15:
        if (ever_.empty()) return;
        return happens(RecycleRequested{any_child(), "it is old"});
      case 16:
        return happens_to_one(AskedToDie{});
      default:
        // An end is the end of most inputs: two bytes for it.
        if (decisions_.pick(4) == 0) happens(StopRequested{decisions_.pick(2) == 1});
    }
  }

  /// From wherever it is, a stop and exits are all that it needs to finish.
  void must_finish() {
    happens(Start{});
    happens(StopRequested{});
    host_.must_finish_by_exits();
  }

 private:
  void happens(const Event& event) { remember(host_.happens(event)); }

  /// To any child that ever was: what is read late is said of one that is gone.
  void happens_to_one(ChildEvent event) {
    if (ever_.empty()) return;
    remember(host_.happens_to(any_child(), std::move(event)));
  }

  ChildId any_child() {
    const auto newest = static_cast<std::uint32_t>(std::min<std::size_t>(ever_.size(), 8));
    return ever_[ever_.size() - 1 - decisions_.pick(newest)];
  }

  void roll_out() {
    Plan plan = plan_of(1 + decisions_.pick(4));
    if (decisions_.pick(4) == 0) plan.settle = {};
    happens(RolloutRequested{plan});
  }

  void fire_one() {
    if (host_.timers.empty()) return;
    const auto few = static_cast<std::uint32_t>(std::min<std::size_t>(host_.timers.size(), 4));
    remember(host_.fire(std::next(host_.timers.begin(), decisions_.pick(few))));
  }

  void remember(const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* spawn = std::get_if<Spawn>(&action)) ever_.push_back(spawn->child);
    }
  }

  Decisions& decisions_;
  testing::ClusterHost host_;
  std::vector<ChildId> ever_;
};

}  // namespace

void try_input(std::string_view input) {
  Decisions decisions(input);
  Machine machine(decisions);
  while (!decisions.none_left()) machine.step();
  machine.must_finish();
}

}  // namespace clusterd::fuzz
