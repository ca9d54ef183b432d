#pragma once

#include "master/core/due_time.h"
#include "master/core/schedule_events.h"

#include <map>
#include <set>

namespace clusterd::core {

/// What is done again and again: when something is due, who gets it, and how it ends.
///
/// A run is told at most once to each receiver. It is over when all have told its end, are dead,
/// or do not tell ends at all; or at its timeout. Nothing is tried again but what could not be
/// queued, for another worker of a schedule whose target is one.
class Schedules {
 public:
  Schedules(const std::vector<config::Schedule>& schedules, ZoneOffset offset);

  [[nodiscard]] schedule::Actions step(const Moment& now, const schedule::Event& event);

  struct Last {
    std::chrono::system_clock::time_point at;  ///< of its end
    schedule::Result result{};
    Duration took{};
    std::string error;
  };
  struct Entry {
    schedule::Settings settings;
    DueTime due{};
    std::set<schedule::RunId> running{};
    std::optional<schedule::RunId> queued{};
    ChildId picked{};
    std::uint64_t runs = 0;  ///< that are over
    std::uint64_t failed = 0;
    std::uint64_t skipped = 0;
    bool skips = false;          ///< since a run has ended
    bool removed = false;        ///< goes when nothing of it runs any more
    std::optional<Last> last{};  ///< that was not skipped
  };
  /// In the order of app.conf.
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

  /// When to say TimePassed at the latest, by each clock.
  [[nodiscard]] std::optional<TimePoint> next_time() const;
  [[nodiscard]] std::optional<WallSeconds> next_wall() const;

 private:
  struct Member {
    bool ready = false;
    std::set<std::string, std::less<>> handles;
  };
  struct Run {
    schedule::Settings schedule;
    TimePoint began;
    std::optional<TimePoint> deadline;
    std::set<ChildId> asked{};  ///< who is being told
    std::set<ChildId> owes{};   ///< who has been, and has not answered
    std::set<ChildId> tried{};  ///< who had no room
    ChildId first{};            ///< that was told
    std::uint32_t receivers = 0;
    std::uint32_t failed = 0;
    bool answered = false;
    bool timed_out = false;
    std::string error{};
    std::string last_words{};
  };
  struct Step {
    const Moment& now;
    schedule::Actions actions{};
  };

  void on(Step& step, const schedule::Begin&);
  void on(Step& step, const schedule::TimePassed&);
  void on(Step& step, const schedule::ClockSet&);
  void on(Step& step, const schedule::Joined& event);
  void on(Step& step, const schedule::Left& event);
  void on(Step& step, const schedule::Gone& event);
  void on(Step& step, const schedule::Handles& event);
  void on(Step& step, const schedule::Queued& event);
  void on(Step& step, const schedule::Answered& event);
  void on(Step& step, const schedule::CommandEnded& event);
  void on(Step& step, const schedule::Requested& event);
  void on(Step& step, const schedule::Replaced& event);
  void on(Step& step, const schedule::Stop&);

  [[nodiscard]] Entry renewed(const Step& step, Entry* old, const config::Schedule& schedule);
  void due(Step& step, Entry& entry);
  /// Which there are, in words.
  [[nodiscard]] std::string names() const;
  [[nodiscard]] std::string why_not_now(const Entry& entry) const;
  void skip(Step& step, Entry& entry, std::string why);
  void drop_queued(Step& step, Entry& entry, std::string why);
  void start(Step& step, Entry& entry, schedule::RunId id);
  void tell_one(Step& step, Entry& entry, schedule::RunId id, Run& run);
  void tell_all(Step& step, schedule::RunId id, Run& run);
  void tell(Step& step, schedule::RunId id, Run& run, ChildId child);
  void failed(Run& run, ChildId child, const std::string& why);
  void time_out(Step& step, schedule::RunId id, Run& run);
  void end_if_over(Step& step, schedule::RunId id);
  void end(Step& step, schedule::RunId id);
  void tidy();
  [[nodiscard]] Entry* find(std::string_view name);
  [[nodiscard]] std::vector<ChildId> ready(Role role) const;

  ZoneOffset offset_;
  std::vector<Entry> entries_;
  std::map<schedule::RunId, Run> runs_;
  std::map<ChildId, Member> members_;
  std::uint64_t next_run_ = 1;
  bool began_ = false;
  bool stopped_ = false;
};

}  // namespace clusterd::core
