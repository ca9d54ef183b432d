#pragma once

#include "common/run_lines.h"
#include "master/core/schedules.h"
#include "master/os/wall_timer.h"
#include "master/runtime/commands.h"
#include "master/runtime/event.h"
#include "master/runtime/messenger.h"
#include "master/runtime/reply.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace clusterd::runtime {

/// Carries out what the schedules decide (core/schedules.h): has the clocks, tells children, runs
/// programs, and tells of every run that is over.
class Scheduler {
 public:
  struct Needs {
    boost::asio::io_context& io;
    Messenger& messenger;
    LogTail& log_tail;
    std::function<const config::Settings&()> settings;
    /// `keep`: among the events that are there for who asks later.
    std::function<void(const Event& event, bool keep)> record;
    std::function<void(const core::schedule::Ended&)> count;
  };
  /// A child that a run can be told to.
  struct Member {
    std::optional<SlotId> slot;
    pid_t pid = 0;
    Generation generation{};
  };

  Scheduler(Needs needs, const rlimit& open_files);

  /// Every child is ready: the schedules begin.
  void begin();
  void stop(bool now);
  /// Other settings are in force.
  void configure();
  /// Calls `done` when no program runs any more.
  void finish(std::function<void()> done);

  void joined(ChildId child, const Member& member);
  void left(ChildId child);
  void gone(ChildId child);
  void handles(ChildId child, const protocol::Handles& said);
  void ran(ChildId child, const protocol::Ran& said);

  // The verbs.
  void list(const Reply& reply) const;
  void run(const std::string& schedule, const Reply& reply);

  /// Whether this process is a program of a schedule.
  [[nodiscard]] bool owns(pid_t pid) const { return commands_.owns(pid); }

 private:
  void handle(core::schedule::Event event);
  void carry_out(const core::schedule::Tell& tell);
  void carry_out(const core::schedule::RunCommand& run);
  void carry_out(const core::schedule::EndCommand& end);
  void carry_out(const core::schedule::Accepted& accepted);
  void carry_out(const core::schedule::Refused& refused);
  void carry_out(const core::schedule::Ended& ended);
  void arm();
  void wait_for_wall();
  [[nodiscard]] static core::Moment now();
  [[nodiscard]] std::string text_of(core::schedule::RunId run) const;
  [[nodiscard]] Event event_of(const core::schedule::Ended& ended) const;
  void write_log(const core::schedule::Ended& ended) const;

  Needs needs_;
  core::Schedules core_;
  std::deque<core::schedule::Event> events_;
  bool handling_ = false;
  std::string prefix_;  ///< of the runs of this master
  Commands commands_;
  boost::asio::steady_timer timer_;
  os::WallTimer wall_;
  boost::asio::posix::stream_descriptor wall_readable_;
  std::map<ChildId, Member> members_;
  std::map<std::uint64_t, Reply> asked_;
  std::map<core::schedule::RunId, Reply> waiting_;
  std::uint64_t next_ticket_ = 1;
  bool stops_now_ = false;
};

}  // namespace clusterd::runtime
