#include "master/core/cluster.h"
#include "tests/unit/state_tables.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <variant>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;
using testing::StateName;
using testing::Step;

constexpr TimePoint kNow{1h};
constexpr std::uint32_t kWorkers = 2;

Plan plan() {
  Plan plan;
  plan.workers = kWorkers;
  plan.worker = {10s, 5s, 3s};
  plan.agent = {10s, 2s, 2s};
  plan.backoff_first = 100ms;
  plan.backoff_max = 800ms;
  plan.death_limit = 1'000'000;
  plan.stop_delay = 10s;
  return plan;
}

/// Where a child sits: the agent's slot, or one of the workers'.
struct Place {
  Role role = Role::worker;
  std::uint32_t slot = 0;

  friend auto operator<=>(const Place&, const Place&) = default;
};
constexpr std::array<Place, 3> kPlaces{Place{Role::agent, 0}, Place{Role::worker, 0},
                                       Place{Role::worker, 1}};

const char* name_of(Role role) { return role == Role::agent ? "the agent" : "the workers"; }

/// A list of actions in words, each once: two workers' are one worker's twice.
class Words {
 public:
  void add(const std::string& word) {
    if (text_.find(word) == std::string::npos) text_ += (text_.empty() ? "" : "; ") + word;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct ClusterWorld {
  Cluster cluster{plan()};
  std::map<Place, TimerId> delays;  ///< of the slots that back off
  TimerId stop_delay{};

  [[nodiscard]] StateName state() const {
    return {static_cast<int>(cluster.state()), to_string(cluster.state())};
  }

  [[nodiscard]] const SlotFsm& slot(Place place) const {
    return place.role == Role::agent ? cluster.agent_slot() : cluster.slots()[place.slot];
  }
  [[nodiscard]] const ChildFsm* child(Place place) const {
    const auto incumbent = slot(place).incumbent();
    if (!incumbent) return nullptr;
    const auto found = cluster.children().find(*incumbent);
    return found == cluster.children().end() ? nullptr : &found->second.fsm;
  }
  [[nodiscard]] bool is_ready(Place place) const {
    const ChildFsm* fsm = child(place);
    return fsm != nullptr && fsm->state() == ChildState::ready;
  }
  [[nodiscard]] bool all_ready() const {
    return is_ready(kPlaces[0]) && cluster.ready() == kWorkers;
  }

  [[nodiscard]] std::string key() const {
    std::string key = state().name;
    for (const Place place : kPlaces) {
      const ChildFsm* fsm = child(place);
      key += std::string(" ") + (fsm == nullptr ? "nobody" : to_string(fsm->state()));
      key += to_string(slot(place).state()) + std::to_string(std::min(slot(place).deaths(), 3U));
      key += fsm != nullptr && fsm->planned() ? "planned" : "";
    }
    return key;
  }

  /// Steps, and says what was done. What a child is asked for shows in its own machine: the actions
  /// that follow from it are in the child's table.
  std::string does(const Event& event) {
    const Cluster before = cluster;
    const Actions actions = cluster.step(kNow, event);
    Words words;
    for (const Action& action : actions) {
      if (std::get_if<Forget>(&action) != nullptr) words.add("`Forget`");
      if (std::get_if<StopAccepting>(&action) != nullptr) words.add("`StopAccepting`");
    }
    for (const auto& [id, child] : before.children()) tell(words, id, child.fsm);
    remember_delays(actions);
    if (cluster.state() == ClusterState::delaying && before.state() == ClusterState::running) {
      for (const Action& action : actions) {
        if (const auto* timer = std::get_if<SetTimer>(&action)) stop_delay = timer->id;
      }
      words.add("`SetTimer` the stop's delay");
    }
    for (const Action& action : actions) tell(words, action);
    return words.text();
  }

  void tell(Words& words, ChildId id, const ChildFsm& before) const {
    const auto now = cluster.children().find(id);
    if (now == cluster.children().end()) return;
    const ChildFsm& fsm = now->second.fsm;
    if (fsm.state() == ChildState::killing && before.state() != ChildState::killing) {
      words.add("`AskedToDie` to every child");
    } else if (fsm.planned() && !before.planned()) {
      words.add(std::string("`AskedToLeave` to ") + name_of(id.role));
    }
  }

  static void tell(Words& words, const Action& action) {
    if (const auto* spawn = std::get_if<Spawn>(&action)) {
      words.add(std::string("`Spawn` ") + (spawn->child.role == Role::agent ? "agent" : "worker"));
    } else if (std::get_if<EnterRotation>(&action) != nullptr) {
      words.add("`EnterRotation`");
    } else if (const auto* note = std::get_if<Note>(&action)) {
      if (note->kind == Note::Kind::backing_off) words.add("`SetTimer` the slot's delay");
    } else if (std::get_if<AnnounceReady>(&action) != nullptr) {
      words.add("`AnnounceReady`");
    } else if (const auto* finish = std::get_if<Finish>(&action)) {
      const bool stopped = finish->outcome.kind == Outcome::Kind::stopped;
      words.add(stopped ? "`Finish`" : "`Finish` never_started");
    }
  }

  /// A slot's timer stands right before the note that says so.
  void remember_delays(const Actions& actions) {
    const SetTimer* last = nullptr;
    for (const Action& action : actions) {
      if (const auto* timer = std::get_if<SetTimer>(&action)) last = timer;
      const auto* note = std::get_if<Note>(&action);
      if (note == nullptr || note->kind != Note::Kind::backing_off) continue;
      REQUIRE(last != nullptr);
      delays[{note->child.role, number_of(note->slot)}] = last->id;
    }
  }

  std::optional<Step> becomes_ready(Place place) {
    const ChildFsm* fsm = child(place);
    if (fsm == nullptr || fsm->state() != ChildState::spawned) return std::nullopt;
    const ChildId id = *slot(place).incumbent();
    (void)does(ChildHappened{id, SaidHello{}});
    const std::string actions = does(ChildHappened{id, SaidReady{}});
    const char* event = place.role == Role::agent ? "the agent is ready" : "a worker is ready";
    return Step{all_ready() ? "the last child is ready" : event, actions};
  }

  std::optional<Step> ends(Place place) {
    if (child(place) == nullptr) return std::nullopt;
    const bool starting = cluster.state() == ClusterState::starting;
    const bool stopping = cluster.state() == ClusterState::stopping;
    const std::string event =
        starting && slot(place).deaths() == 2 ? "a third death" : "a child ends";
    const std::string actions =
        does(ChildHappened{*slot(place).incumbent(), ProcessExited{ExitStatus{}}});
    if (!stopping) return Step{event, actions};
    std::string left = "nobody is left";
    for (const auto& [id, child] : cluster.children()) {
      left = id.role == Role::worker ? "workers are left" : "the agent is left";
    }
    return Step{"a child ends, " + left, actions};
  }

  std::optional<Step> stop_delay_ends() {
    if (cluster.state() != ClusterState::delaying) return std::nullopt;
    return Step{"the stop's delay is over", does(TimerFired{stop_delay})};
  }

  std::optional<Step> delay_ends(Place place) {
    const auto timer = delays.find(place);
    if (timer == delays.end() || slot(place).state() != SlotState::backing_off) return std::nullopt;
    const TimerId id = timer->second;
    delays.erase(timer);
    return Step{"a slot's delay is over", does(TimerFired{id})};
  }
};

}  // namespace

testing::StateTable cluster_states() {
  static_assert(std::variant_size_v<Event> == 7, "a new event belongs among the moves below");
  // Rollouts, recycling and scaling leave this state alone; they have a chapter of their own.
  using World = ClusterWorld;
  std::vector<std::function<std::optional<Step>(World&)>> moves{
      [](World& it) { return Step{"Start", it.does(Start{})}; },
      [](World& it) { return Step{"StopRequested", it.does(StopRequested{false})}; },
      [](World& it) { return Step{"StopRequested now", it.does(StopRequested{true})}; },
      [](World& it) { return it.stop_delay_ends(); }};
  for (const Place place : kPlaces) {
    moves.emplace_back([place](World& it) { return it.becomes_ready(place); });
    moves.emplace_back([place](World& it) { return it.ends(place); });
    moves.emplace_back([place](World& it) { return it.delay_ends(place); });
  }
  return testing::explore<World>(
      World{},
      {"Start", "the agent is ready", "a worker is ready", "the last child is ready",
       "a child ends", "a third death", "a slot's delay is over", "StopRequested",
       "StopRequested now", "the stop's delay is over", "a child ends, workers are left",
       "a child ends, the agent is left", "a child ends, nobody is left"},
      moves);
}

}  // namespace clusterd::core
