#include "config/settings.h"
#include "master/core/slot_fsm.h"
#include "tests/unit/state_tables.h"

#include <doctest/doctest.h>

#include <chrono>
#include <variant>

namespace clusterd::core {
namespace {

using namespace std::chrono_literals;
using testing::StateName;
using testing::Step;

constexpr TimePoint kNow{1h};
constexpr ChildTimeouts kTimeouts{30s, 5s, 3s};

/// One action of a child's machine, in words.
struct Describe {
  std::string operator()(const CameOnline&) const { return "`CameOnline`"; }
  std::string operator()(const BecameReady&) const { return "`BecameReady`"; }
  std::string operator()(const EndConnections&) const { return "`EndConnections`"; }
  std::string operator()(const Departs&) const { return "`Departs`"; }
  std::string operator()(const SendSignal& send) const {
    const char* name = "TERM";
    if (send.signal == Signal::kill) name = "KILL";
    if (send.signal == Signal::abort) name = "ABRT";
    return std::string("`SendSignal` ") + name + ": " + send.why;
  }
  std::string operator()(const SetTimer& timer) const {
    const Duration time = timer.at - kNow;
    if (time == kTimeouts.ready) return "`SetTimer` ready_timeout";
    if (time == kTimeouts.drain) return "`SetTimer` drain_timeout";
    if (time == 1s) return "`SetTimer` 1 s";
    return time == kTimeouts.kill ? "`SetTimer` kill_timeout" : "`SetTimer` ?";
  }
  std::string operator()(const ChildGone&) const { return "`ChildGone`"; }
};

struct ChildWorld {
  ChildFsm fsm{kTimeouts};
  std::uint64_t next_timer = 1;
  TimerId awaited{};  ///< the last one that was set

  ChildWorld() { (void)told(fsm.start(kNow, TimerId{next_timer++})); }

  [[nodiscard]] StateName state() const {
    return {static_cast<int>(fsm.state()), to_string(fsm.state())};
  }

  /// Two children in one state differ in what their end will say of them, and in nothing else.
  [[nodiscard]] std::string key() const {
    ChildFsm probe = fsm;
    const ChildActions end = probe.step(kNow, ProcessExited{}, TimerId{1000});
    const auto* gone = end.empty() ? nullptr : std::get_if<ChildGone>(&end.back());
    std::string key = state().name + (fsm.planned() ? " planned" : "");
    return key + (gone != nullptr && gone->was_ready ? " was ready" : "");
  }

  std::string told(const ChildActions& actions) {
    std::string text;
    for (const ChildAction& action : actions) {
      text += (text.empty() ? "" : "; ") + std::visit(Describe{}, action);
      if (const auto* timer = std::get_if<SetTimer>(&action)) awaited = timer->id;
    }
    return text;
  }

  std::optional<Step> happens(const char* name, const ChildEvent& event) {
    return Step{name, told(fsm.step(kNow, event, TimerId{next_timer++}))};
  }
};

struct SlotWorld {
  SlotFsm slot{RestartDelay(100ms, 10s)};
  std::uint32_t next_child = 1;
  std::uint64_t next_timer = 1;
  TimerId awaited{};

  /// A slot that was closed while its child runs is a state of its own: its end is another.
  [[nodiscard]] StateName state() const {
    if (slot.state() != SlotState::running) return {static_cast<int>(slot.state()) * 4, name()};
    SlotFsm probe = slot;
    if (slot.challenger()) return {4, name() + ", challenged"};
    const bool wanted = probe.vacated_as_planned().kind == SlotOrder::Kind::spawn;
    return wanted ? StateName{2, name()} : StateName{3, name() + ", closed"};
  }

  [[nodiscard]] std::string name() const { return to_string(slot.state()); }
  [[nodiscard]] std::string key() const {
    return state().name + std::to_string(std::min(slot.deaths(), 10U)) +
           (slot.may_be_challenged() ? "" : " held");
  }

  std::optional<Step> obey(const char* event, const SlotOrder& order) {
    switch (order.kind) {
      case SlotOrder::Kind::nothing:
        return Step{event, ""};
      case SlotOrder::Kind::spawn:
        slot.occupied(ChildId{Role::worker, next_child++});
        return Step{event, "`spawn`"};
      case SlotOrder::Kind::set_timer:
        awaited = order.timer.id;
        CHECK(order.timer.at > kNow);
        return Step{event, "`set_timer` the delay"};
    }
    return Step{event, "?"};
  }

  std::optional<Step> vacated(Duration ready_for) {
    const bool first = slot.deaths() == 0 || ready_for >= 10s;
    const char* event = first ? "vacated, a first death" : "vacated, a later death";
    return obey(event, slot.vacated(kNow, ready_for, TimerId{next_timer++}));
  }

  /// Its death is the one too many: what the slot orders about it is not carried out.
  std::optional<Step> vacated_and_given_up() {
    const SlotOrder order = slot.vacated(kNow, 0s, TimerId{next_timer++});
    if (order.kind == SlotOrder::Kind::nothing) return std::nullopt;
    return given_up("vacated, then give_up");
  }

  std::optional<Step> given_up(const char* event) {
    slot.give_up();
    return Step{event, ""};
  }

  std::optional<Step> challenged() {
    if (!slot.may_be_challenged()) return std::nullopt;
    slot.challenged_by(ChildId{Role::worker, next_child++});
    return Step{"challenged_by", ""};
  }

  std::optional<Step> promote() {
    if (!slot.challenger()) return std::nullopt;
    (void)slot.promote();
    return Step{"promote", "the incumbent before it"};
  }

  std::optional<Step> challenger_dies() {
    if (!slot.challenger()) return std::nullopt;
    return obey("challenger_died", slot.challenger_died(kNow, 0s, TimerId{next_timer++}));
  }
};

}  // namespace

testing::StateTable child_states() {
  static_assert(std::variant_size_v<ChildEvent> == 12, "a new event belongs in the list below");
  using World = ChildWorld;
  return testing::explore<World>(
      World{},
      {"SaidHello", "SaidReady", "Awaited", "AskedToLeave", "AskedToDie", "CutShort", "SaidSuicide",
       "Hung", "ChannelEnded", "BrokeProtocol", "ChildTimer", "ChildTimer, not its own",
       "ProcessExited"},
      {[](World& it) { return it.happens("SaidHello", SaidHello{}); },
       [](World& it) { return it.happens("SaidReady", SaidReady{}); },
       [](World& it) { return it.happens("Awaited", Awaited{}); },
       [](World& it) { return it.happens("AskedToLeave", AskedToLeave{}); },
       [](World& it) { return it.happens("AskedToDie", AskedToDie{}); },
       [](World& it) { return it.happens("CutShort", CutShort{"why it is"}); },
       [](World& it) { return it.happens("SaidSuicide", SaidSuicide{"why it goes"}); },
       [](World& it) { return it.happens("Hung", Hung{"how it hangs"}); },
       [](World& it) { return it.happens("ChannelEnded", ChannelEnded{}); },
       [](World& it) { return it.happens("BrokeProtocol", BrokeProtocol{"how it did"}); },
       [](World& it) { return it.happens("ChildTimer", ChildTimer{it.awaited}); },
       [](World& it) { return it.happens("ChildTimer, not its own", ChildTimer{TimerId{999}}); },
       [](World& it) { return it.happens("ProcessExited", ProcessExited{}); }});
}

testing::StateTable slot_states() {
  using World = SlotWorld;
  return testing::explore<World>(
      World{},
      {"open", "close", "vacated, a first death", "vacated, a later death", "vacated_as_planned",
       "timer_fired", "timer_fired, not its own", "vacated, then give_up", "give_up", "try_again",
       "challenged_by", "promote", "challenger_died"},
      {[](World& it) { return it.obey("open", it.slot.open()); },
       [](World& it) {
         it.slot.close();
         return it.obey("close", {});
       },
       [](World& it) { return it.vacated(0s); }, [](World& it) { return it.vacated(10s); },
       [](World& it) { return it.obey("vacated_as_planned", it.slot.vacated_as_planned()); },
       [](World& it) { return it.obey("timer_fired", it.slot.timer_fired(it.awaited)); },
       [](World& it) {
         return it.obey("timer_fired, not its own", it.slot.timer_fired(TimerId{999}));
       },
       [](World& it) { return it.vacated_and_given_up(); },
       [](World& it) { return it.given_up("give_up"); },
       [](World& it) { return it.obey("try_again", it.slot.try_again()); },
       [](World& it) { return it.challenged(); }, [](World& it) { return it.promote(); },
       [](World& it) { return it.challenger_dies(); }});
}

std::string restart_delays() {
  const config::Restart defaults;
  RestartDelay delay(defaults.backoff_first, defaults.backoff_max);
  std::vector<std::vector<std::string>> rows{{"death in a row"}, {"delay"}};
  for (int death = 1; death <= 10; ++death) {
    rows[0].push_back(std::to_string(death));
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(delay.next(0s));
    rows[1].push_back(time < 1s ? std::to_string(time.count()) + " ms"
                                : std::to_string(time.count() / 1000) + "." +
                                      std::to_string(time.count() % 1000 / 100) + " s");
  }
  return testing::markdown_table(rows);
}

}  // namespace clusterd::core
