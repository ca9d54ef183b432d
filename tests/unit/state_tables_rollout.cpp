#include "master/core/cluster.h"
#include "tests/unit/state_tables.h"

#include <doctest/doctest.h>

#include <chrono>
#include <variant>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;
using testing::StateName;
using testing::Step;

constexpr Duration kSettle = 1s;

/// Two workers, and dead ones are replaced without a delay: that is the slot's chapter.
Plan plan(std::uint32_t surge, std::uint32_t max_unavailable) {
  Plan plan;
  plan.workers = 2;
  plan.worker = {10s, 5s, 3s};
  plan.agent = {10s, 2s, 2s};
  plan.death_limit = 1'000'000;
  plan.surge = surge;
  plan.max_unavailable = max_unavailable;
  plan.settle = kSettle;
  return plan;
}

/// How a child is in the eyes of a reload.
enum class Kind : std::uint8_t { old, on_trial, passed };

struct RolloutWorld {
  Plan wanted;
  Cluster cluster;
  TimePoint now{1h};

  explicit RolloutWorld(const Plan& plan) : wanted(plan), cluster(plan) {
    (void)cluster.step(now, Start{});
    comes_up(*cluster.agent_slot().incumbent());
    for (const SlotFsm& slot : cluster.slots()) comes_up(*slot.incumbent());
    now += kSettle;
    REQUIRE(cluster.settled());
  }

  [[nodiscard]] bool over() const { return cluster.state() != ClusterState::running; }

  [[nodiscard]] StateName state() const {
    if (over()) return {4, "stopping"};
    if (cluster.rollout()) {
      return cluster.rollout()->proved ? StateName{2, "proved"} : StateName{1, "on trial"};
    }
    for (const SlotFsm& slot : cluster.slots()) {
      for (const auto child : {slot.incumbent(), slot.challenger()}) {
        if (child && of_another(*child)) return {3, "going back"};
      }
    }
    return {0, "in place"};
  }

  [[nodiscard]] bool of_another(ChildId child) const {
    return cluster.children().at(child).generation != cluster.generation();
  }

  [[nodiscard]] Kind kind(ChildId id) const {
    const ClusterChild& child = cluster.children().at(id);
    if (!cluster.rollout() || child.generation != cluster.rollout()->to) return Kind::old;
    const bool passed = child.fsm.was_ready() && now - child.ready_at >= kSettle;
    return passed ? Kind::passed : Kind::on_trial;
  }

  [[nodiscard]] std::string key() const {
    std::string key = state().name;
    if (over()) return key;
    for (const SlotFsm& slot : cluster.slots()) {
      key += std::string("; ") + to_string(slot.state());
      for (const auto child : {slot.incumbent(), slot.challenger()}) {
        key += child ? std::string(" ") + to_string(cluster.children().at(*child).fsm.state()) +
                           std::to_string(static_cast<int>(kind(*child))) +
                           (of_another(*child) ? "another" : "")
                     : " nobody";
      }
    }
    return key;
  }

  static std::string in_words(const Action& action, Generation to) {
    if (const auto* spawn = std::get_if<Spawn>(&action)) {
      return spawn->generation == to ? "`Spawn` a new one" : "`Spawn` an old one";
    }
    if (const auto* ended = std::get_if<RolloutEnded>(&action)) {
      return ended->done ? "`RolloutEnded` done" : "`RolloutEnded` failed";
    }
    if (std::get_if<RolloutCommitted>(&action) != nullptr) return "`RolloutCommitted`";
    return std::get_if<Finish>(&action) != nullptr ? "`Finish`" : "";
  }

  /// Who was asked to leave does so at once: how long it takes is the child's chapter.
  std::string does(const Event& event) {
    const auto to = cluster.rollout() ? cluster.rollout()->to : cluster.next_generation();
    std::string words;
    const auto add = [&](const std::string& word) {
      if (words.find(word) == std::string::npos) words += (words.empty() ? "" : "; ") + word;
    };
    for (const Action& action : cluster.step(now, event)) {
      const std::string word = in_words(action, to);
      if (!word.empty()) add(word);
    }
    const auto children = cluster.children();
    for (const auto& [id, child] : children) {
      if (!child.fsm.planned() || id.role == Role::agent) continue;
      if (!over()) add(child.generation == to ? "a new one leaves" : "an old one leaves");
      (void)cluster.step(now, ChildHappened{id, ProcessExited{}});
    }
    return words;
  }

  std::string comes_up(ChildId id) {
    (void)does(ChildHappened{id, SaidHello{}});
    return does(ChildHappened{id, SaidReady{}});
  }

  std::optional<Step> asked() {
    if (over()) return std::nullopt;
    return Step{"RolloutRequested", does(RolloutRequested{wanted})};
  }

  std::optional<Step> settles() {
    if (over()) return std::nullopt;
    now += kSettle;
    return Step{"settle has passed", does(TimerFired{TimerId{~0ULL}})};
  }

  std::optional<Step> stops() {
    if (over()) return std::nullopt;
    return Step{"StopRequested", does(StopRequested{})};
  }

  [[nodiscard]] std::optional<ChildId> child(std::size_t slot, bool challenger) const {
    if (over()) return std::nullopt;
    const SlotFsm& fsm = cluster.slots()[slot];
    return challenger ? fsm.challenger() : fsm.incumbent();
  }

  std::optional<Step> becomes_ready(std::size_t slot, bool challenger) {
    const auto id = child(slot, challenger);
    if (!id || cluster.children().at(*id).fsm.state() != ChildState::spawned) return std::nullopt;
    const char* event = kind(*id) == Kind::old ? "an old one is ready" : "a new one is ready";
    return Step{event, comes_up(*id)};
  }

  std::optional<Step> dies(std::size_t slot, bool challenger) {
    const auto id = child(slot, challenger);
    if (!id) return std::nullopt;
    const char* event = kind(*id) == Kind::old        ? "an old one dies"
                        : kind(*id) == Kind::on_trial ? "a new one dies on its trial"
                                                      : "a new one dies after its trial";
    return Step{event, does(ChildHappened{*id, ProcessExited{}})};
  }
};

}  // namespace

testing::StateTable rollout_states() {
  using World = RolloutWorld;
  std::vector<std::function<std::optional<Step>(World&)>> moves{
      [](World& it) { return it.asked(); }, [](World& it) { return it.settles(); },
      [](World& it) { return it.stops(); }};
  for (const std::size_t slot : {0U, 1U}) {
    for (const bool challenger : {false, true}) {
      moves.emplace_back([=](World& it) { return it.becomes_ready(slot, challenger); });
      moves.emplace_back([=](World& it) { return it.dies(slot, challenger); });
    }
  }
  const std::vector<std::string> events{"RolloutRequested",
                                        "a new one is ready",
                                        "settle has passed",
                                        "an old one dies",
                                        "a new one dies on its trial",
                                        "a new one dies after its trial",
                                        "an old one is ready",
                                        "StopRequested"};
  testing::StateTable table = testing::explore(World(plan(1, 0)), events, moves);
  table.add(testing::explore(World(plan(0, 1)), events, moves));
  return table;
}

}  // namespace clusterd::core
