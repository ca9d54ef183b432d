#pragma once

#include "common/ids.h"
#include "master/core/balancer.h"
#include "master/core/cluster_events.h"
#include "master/core/schedule_events.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace clusterd::runtime {

/// Grows by what another number has grown, and never goes down. One that goes back, or makes a leap
/// that no program can, counts for nothing: part of these numbers are what workers claim.
class Growth {
 public:
  /// Gives what it has grown by.
  std::uint64_t to(std::uint64_t now);

 private:
  std::uint64_t last_ = 0;
};

/// A number that stays at the largest there is.
class Counter {
 public:
  void add(std::uint64_t more);
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

/// What has happened since the start, in numbers that do not go down when a worker dies or a
/// listener changes: they are of slots and of names. Both are bounded, and with them all of this.
class Counters {
 public:
  struct Slot {
    Counter starts, deaths, taken, requests;
  };
  struct Listener {
    Counter accepted, expired;
    bool open = false;  ///< one has this name now
  };
  /// By its result.
  using Runs = std::array<Counter, 4>;
  /// Why there is another worker in a slot than before. reload: a restart too.
  enum class Cause : std::uint8_t { crash, suicide, hang, recycle, reload, kill };
  static constexpr std::size_t kCauses = 6;
  /// How one ended that nobody had asked to.
  enum class End : std::uint8_t { exit, signal, not_started };
  static constexpr std::size_t kEnds = 3;

  Counters();

  void saw(const core::Note& note);
  void event(const std::string& name);
  void stalled(std::uint32_t connections) { stalled_.add(connections); }
  /// An exception has escaped a handler of the agent program.
  void agent_failed() { agent_failures_.add(1); }
  /// A run of a schedule is over.
  void ran(const core::schedule::Ended& run);

  /// How far they are: of a living worker, or of one that has just died; of a listener.
  void worker(ChildId id, std::uint64_t taken, std::uint64_t requests);
  void listener(core::ListenerIndex index, const std::string& name, std::uint64_t accepted,
                std::uint64_t expired);
  /// Another may have the index now.
  void listener_gone(core::ListenerIndex index);
  void forget(ChildId id) { workers_.erase(id); }

  [[nodiscard]] const std::map<SlotId, Slot>& slots() const { return slots_; }
  [[nodiscard]] const std::map<std::string, Listener>& listeners() const { return listeners_; }
  [[nodiscard]] const std::map<std::string, Counter>& events() const { return events_; }
  [[nodiscard]] const std::map<std::string, Runs>& runs() const { return runs_; }
  [[nodiscard]] std::uint64_t restarts(Cause cause) const {
    return restarts_[static_cast<std::size_t>(cause)].value();
  }
  [[nodiscard]] std::uint64_t deaths(End end) const {
    return deaths_[static_cast<std::size_t>(end)].value();
  }
  [[nodiscard]] std::uint64_t reloads(bool done) const { return reloads_[done ? 1 : 0].value(); }
  [[nodiscard]] std::uint64_t stalled() const { return stalled_.value(); }
  [[nodiscard]] std::uint64_t agent_failures() const { return agent_failures_.value(); }

 private:
  struct Worker {
    SlotId slot{};
    Growth taken, requests;
  };
  struct Known {
    std::string name;
    Growth accepted, expired;
  };
  /// Who has a slot, and what became of the last who had.
  struct Seat {
    std::map<ChildId, Generation> sits;
    std::optional<Cause> lost;
  };

  void forked(const core::Note& note);
  void gone(const core::Note& note);
  void left(const core::Note& note, std::optional<Cause> cause);
  [[nodiscard]] Listener& listener_named(const std::string& name);

  std::map<SlotId, Slot> slots_;
  std::map<SlotId, Seat> seats_;
  std::map<ChildId, Worker> workers_;
  std::map<std::string, Listener> listeners_;
  std::array<std::optional<Known>, core::kMaxListeners> known_;
  std::map<std::string, Counter> events_;
  std::map<std::string, Runs> runs_;
  std::array<Counter, kCauses> restarts_;
  std::array<Counter, kEnds> deaths_;
  std::array<Counter, 2> reloads_;
  Counter stalled_;
  Counter agent_failures_;
};

}  // namespace clusterd::runtime
