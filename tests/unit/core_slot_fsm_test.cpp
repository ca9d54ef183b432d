#include "master/core/slot_fsm.h"
#include "tests/support/every_order.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace clusterd::core {

static doctest::String toString(SlotState state) { return to_string(state); }

namespace {

using namespace std::chrono_literals;
using testing::must;

const SlotOrder kNothing{};
const SlotOrder kSpawn{SlotOrder::Kind::spawn, {}};
constexpr TimePoint kNow{1h};
constexpr Duration kNotReady = Duration::zero();

SlotFsm make_slot() { return SlotFsm(RestartDelay(100ms, 400ms)); }

ChildId worker(std::uint32_t number) { return {Role::worker, number}; }

SlotFsm make_running_slot() {
  SlotFsm slot = make_slot();
  (void)slot.open();
  slot.occupied(worker(1));
  return slot;
}

/// Its child died twice: it waits for the timer 2.
SlotFsm make_backing_off_slot() {
  SlotFsm slot = make_running_slot();
  (void)slot.vacated(kNow, kNotReady, TimerId{1});
  slot.occupied(worker(2));
  (void)slot.vacated(kNow, kNotReady, TimerId{2});
  return slot;
}

SlotOrder timer(std::uint64_t id, Duration delay) {
  return {SlotOrder::Kind::set_timer, SetTimer{TimerId{id}, kNow + delay}};
}

}  // namespace

TEST_CASE("a slot that is opened asks for a child, once") {
  SlotFsm slot = make_slot();
  CHECK(slot.state() == SlotState::empty);
  CHECK(slot.open() == kSpawn);
  CHECK(slot.open() == kNothing);
  CHECK(slot.state() == SlotState::running);
  CHECK_FALSE(slot.incumbent());
  slot.occupied(worker(1));
  CHECK(slot.open() == kNothing);
  CHECK(slot.incumbent() == worker(1));
}

TEST_CASE("a child that died is replaced at once, the next ones after a delay") {
  SlotFsm slot = make_running_slot();
  CHECK(slot.vacated(kNow, kNotReady, TimerId{1}) == kSpawn);
  CHECK(slot.state() == SlotState::running);
  CHECK_FALSE(slot.incumbent());
  slot.occupied(worker(2));

  CHECK(slot.vacated(kNow, kNotReady, TimerId{2}) == timer(2, 100ms));
  CHECK(slot.state() == SlotState::backing_off);
  CHECK_FALSE(slot.incumbent());
  CHECK(slot.retry_at() == kNow + 100ms);
  CHECK(slot.deaths() == 2);
  CHECK(slot.timer_fired(TimerId{2}) == kSpawn);
  slot.occupied(worker(3));

  CHECK(slot.vacated(kNow, kNotReady, TimerId{3}) == timer(3, 200ms));
  CHECK(slot.timer_fired(TimerId{3}) == kSpawn);
  slot.occupied(worker(4));
  CHECK(slot.vacated(kNow, 400ms, TimerId{4}) == kSpawn);
  CHECK(slot.deaths() == 1);
}

TEST_CASE("a planned end is no death: the next child starts at once") {
  SlotFsm slot = make_running_slot();
  for (std::uint32_t number = 2; number < 10; ++number) {
    CHECK(slot.vacated_as_planned() == kSpawn);
    slot.occupied(worker(number));
  }
  CHECK(slot.deaths() == 0);
}

TEST_CASE("closing a slot leaves its child alone, and nobody follows it") {
  SlotFsm died = make_running_slot();
  died.close();
  CHECK(died.state() == SlotState::running);
  CHECK(died.incumbent() == worker(1));
  SlotFsm left = died;
  CHECK(died.vacated(kNow, kNotReady, TimerId{1}) == kNothing);
  CHECK(died.state() == SlotState::empty);
  CHECK(left.vacated_as_planned() == kNothing);
  CHECK(left.state() == SlotState::empty);
}

TEST_CASE("closing a slot that backs off calls its next start off") {
  SlotFsm slot = make_backing_off_slot();
  slot.close();
  CHECK(slot.state() == SlotState::empty);
  CHECK(slot.timer_fired(TimerId{2}) == kNothing);
  CHECK(slot.open() == kSpawn);
}

TEST_CASE("opening a slot that backs off does not shorten its delay") {
  SlotFsm slot = make_backing_off_slot();
  CHECK(slot.open() == kNothing);
  CHECK(slot.state() == SlotState::backing_off);
  CHECK(slot.timer_fired(TimerId{2}) == kSpawn);
}

TEST_CASE("a slot that was closed and opened again before its child ended keeps going") {
  SlotFsm slot = make_running_slot();
  slot.close();
  CHECK(slot.open() == kNothing);
  CHECK(slot.vacated(kNow, kNotReady, TimerId{1}) == kSpawn);
}

TEST_CASE("a timer that a slot does not await starts nobody") {
  SlotFsm slot = make_backing_off_slot();
  CHECK(slot.timer_fired(TimerId{1}) == kNothing);
  CHECK(slot.timer_fired(TimerId{}) == kNothing);
  CHECK(slot.timer_fired(TimerId{2}) == kSpawn);
  CHECK(slot.timer_fired(TimerId{2}) == kNothing);
}

TEST_CASE("an end that a slot has no child for is nobody's") {
  SlotFsm empty = make_slot();
  CHECK(empty.vacated(kNow, kNotReady, TimerId{1}) == kNothing);
  CHECK(empty.vacated_as_planned() == kNothing);
  SlotFsm backing_off = make_backing_off_slot();
  CHECK(backing_off.vacated(kNow, kNotReady, TimerId{3}) == kNothing);
  CHECK(backing_off.vacated_as_planned() == kNothing);
  CHECK(backing_off.timer_fired(TimerId{2}) == kSpawn);
}

namespace {

/// A slot, and what its owner knows of it.
struct Seat {
  SlotFsm slot = make_slot();
  TimePoint now = kNow;
  std::uint64_t last_timer = 0;
  std::uint32_t last_child = 0;
  bool wanted = false;
  bool ordered = false;  ///< a spawn that is not yet carried out
  std::optional<ChildId> child;
  std::optional<SetTimer> awaited;
  TimerId superseded{1000};  ///< at first, one that was never set

  bool opens() {
    wanted = true;
    return obey(slot.open());
  }

  bool closes() {
    wanted = false;
    slot.close();
    forget_timer();
    return holds();
  }

  bool is_occupied() {
    if (!ordered) return false;
    ordered = false;
    child = worker(++last_child);
    slot.occupied(*child);
    return holds();
  }

  /// An exit comes of a child that was forked, or too late.
  bool is_vacated(Duration ready_for) {
    if (ordered) return false;
    now += 1s;
    const bool had_child = child.has_value();
    child.reset();
    const SlotOrder order = slot.vacated(now, ready_for, TimerId{++last_timer});
    must(had_child || order == kNothing, "an end of nobody has no effect");
    return obey(order);
  }

  bool is_vacated_as_planned() {
    if (ordered) return false;
    const bool had_child = child.has_value();
    child.reset();
    const SlotOrder order = slot.vacated_as_planned();
    must(order == (had_child && wanted ? kSpawn : kNothing), "no delay after a planned end");
    return obey(order);
  }

  bool timer_fires() {
    if (!awaited) return false;
    now = awaited->at;
    const TimerId id = awaited->id;
    forget_timer();
    const SlotOrder order = slot.timer_fired(id);
    must(order == kSpawn, "the awaited timer ends the delay");
    return obey(order);
  }

  bool stale_timer_fires() {
    must(slot.timer_fired(superseded) == kNothing, "a stale timer does nothing");
    return holds();
  }

  void forget_timer() {
    if (awaited) superseded = awaited->id;
    awaited.reset();
  }

  bool obey(const SlotOrder& order) {
    if (order.kind != SlotOrder::Kind::nothing) {
      must(wanted, "nothing is ordered for a slot that nobody wants");
      must(!ordered && !child, "no second child before the first is gone");
    }
    if (order.kind == SlotOrder::Kind::spawn) {
      ordered = true;
    } else if (order.kind == SlotOrder::Kind::set_timer) {
      must(!awaited && order.timer.id == TimerId{last_timer}, "one fresh timer");
      must(order.timer.at > now && order.timer.at <= now + 400ms, "a delay within its bounds");
      awaited = order.timer;
    }
    return holds();
  }

  /// True, so that each move can end with it.
  [[nodiscard]] bool holds() const {
    const SlotState state = slot.state();
    must(slot.incumbent() == child, "the incumbent is who was forked last");
    must((state == SlotState::running) == (ordered || child.has_value()), "running is a child");
    must((state == SlotState::backing_off) == awaited.has_value(), "backing off is a timer");
    must(state != SlotState::empty || !wanted, "a wanted slot is never empty");
    if (awaited) must(slot.retry_at() == awaited->at, "the retry is when the timer fires");
    return true;
  }
};

}  // namespace

TEST_CASE("a slot keeps all promises in every order of events") {
  const std::size_t played = testing::every_order(
      Seat{}, 6,
      {{"open", [](Seat& seat) { return seat.opens(); }},
       {"close", [](Seat& seat) { return seat.closes(); }},
       {"occupied", [](Seat& seat) { return seat.is_occupied(); }},
       {"vacated", [](Seat& seat) { return seat.is_vacated(kNotReady); }},
       {"vacated in good health", [](Seat& seat) { return seat.is_vacated(400ms); }},
       {"vacated as planned", [](Seat& seat) { return seat.is_vacated_as_planned(); }},
       {"timer", [](Seat& seat) { return seat.timer_fires(); }},
       {"stale timer", [](Seat& seat) { return seat.stale_timer_fires(); }}});
  CHECK(played > 20'000);
}

TEST_CASE("a slot whose child died twice keeps all promises in every order of events") {
  Seat seat;
  (void)seat.opens();
  for (int death = 0; death < 2; ++death) {
    (void)seat.is_occupied();
    (void)seat.is_vacated(kNotReady);
  }
  REQUIRE(seat.awaited);
  const std::size_t played =
      testing::every_order(seat, 6,
                           {{"open", [](Seat& it) { return it.opens(); }},
                            {"close", [](Seat& it) { return it.closes(); }},
                            {"occupied", [](Seat& it) { return it.is_occupied(); }},
                            {"vacated", [](Seat& it) { return it.is_vacated(kNotReady); }},
                            {"timer", [](Seat& it) { return it.timer_fires(); }},
                            {"stale timer", [](Seat& it) { return it.stale_timer_fires(); }}});
  CHECK(played > 2'000);
}

}  // namespace clusterd::core
