#pragma once

#include "common/envelope.h"
#include "common/ids.h"
#include "common/protocol.h"
#include "common/unique_fd.h"
#include "config/settings.h"
#include "master/core/message_router.h"
#include "master/runtime/channel.h"
#include "master/runtime/untold.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::runtime {

/// Carries messages from program to program, and the cluster's events to all. At most once, in
/// order for each sender and receiver; what is lost on the way is told to the sender.
class Messenger {
 public:
  /// What a child is told beside messages: what happens, and what became of its own, as lines of
  /// ours; of Node's, nothing until it has asked for that, or has spoken as Egg's programs do.
  enum class Dialect : std::uint8_t { native, node };
  /// What may wait for one receiver, and what follows if that is not enough.
  void configure(const config::Messages& settings) { settings_ = settings; }

  /// `tells_heard`: it says how many messages it has heard.
  void join(ChildId child, std::shared_ptr<Channel> channel, std::int64_t pid,
            std::optional<SlotId> slot, Dialect dialect = Dialect::native,
            bool tells_heard = false);
  /// It can be given messages with a descriptor, in lines of its own; false if one was not queued.
  using Taker = std::function<bool(std::string line, UniqueFd fd)>;
  void takes_descriptors(ChildId child, Taker taker);
  void set_ready(ChildId child, bool ready);
  /// Its process has ended, and what it said last was heard.
  void leave(ChildId child);

  /// `line` is a message as it came, and goes out as it came.
  void route(ChildId sender, const CheckedJson& message, std::string_view line);
  /// One with a descriptor, which can be one process's only. False if nobody got it: there was
  /// nobody, more than one, or one that can not be given any.
  [[nodiscard]] bool pass(ChildId sender, const Envelope& envelope, std::string line, UniqueFd fd);
  void heard(ChildId child, std::int64_t messages);
  /// It asked for the lines that a native child is told.
  void wants_notices(ChildId child, bool tells_heard = false);
  /// Tells everybody, and later all that become ready, once each.
  void cluster_is_ready();
  /// Tells everybody that files of logs were renamed.
  void log_reload();
  /// The lines that tell it what became of its messages.
  [[nodiscard]] std::string notices(ChildId child);
  /// Little of what may wait for `child` does again.
  void is_low(ChildId child);

  /// For how many receivers a message was queued, and for how many not.
  struct Posted {
    std::size_t queued = 0;
    std::size_t missed = 0;
  };
  /// A message of the operator's, who is no child. Answers go to the master's own pid.
  [[nodiscard]] Posted send(const Envelope& envelope);
  /// How many there are that it would be for. (A pick is none: it is not made.)
  [[nodiscard]] std::size_t count(const Recipient& to);
  /// A run of a schedule that is `child`'s to do, or the message of one. False: it takes none, or
  /// too much waits.
  [[nodiscard]] bool tell(ChildId child, const protocol::RunNow& run);
  [[nodiscard]] bool tell(ChildId child, const Envelope& envelope);
  [[nodiscard]] bool has(ChildId child) const { return members_.contains(child); }

  /// What became of messages since the start, one for each receiver; and what waits to be sent now.
  struct Carried {
    std::uint64_t queued = 0;
    std::uint64_t undelivered = 0;  ///< not queued, or lost after that
    std::uint64_t waiting_bytes = 0;
  };
  [[nodiscard]] Carried carried() const;
  /// Such a run was dropped, to make room.
  void tell_scheduler(std::function<void(ChildId child, const protocol::Ran& ran)> dropped) {
    run_dropped_ = std::move(dropped);
  }

  struct OperatorEvents {
    std::function<void(const Envelope& answer)> answered;
    std::function<void(std::int64_t request, std::string_view why)> lost;
  };
  void tell_operator(OperatorEvents events) { operator_ = std::move(events); }

 private:
  /// How it hears what happens: not yet, as messages of Egg's master, or as events and notices.
  enum class Hears : std::uint8_t { nothing, egg, events };
  struct Member {
    std::shared_ptr<Channel> channel;
    Taker taker;  ///< may be empty
    std::int64_t pid = 0;
    Dialect dialect = Dialect::native;
    Hears hears = Hears::events;
    Untold untold;
    bool knows = false;  ///< of cluster-ready
    bool ready = false;
    bool was_ready = false;
    /// Requests that it was sent and has not answered, by who asks; of each the oldest first.
    std::map<ChildId, std::deque<std::int64_t>> asked;
    std::vector<ChildId> pressed;  ///< senders that were told that it is slow
  };

  Posted deliver(ChildId sender, const Routing& routing, std::string_view line);
  [[nodiscard]] bool post(ChildId receiver, Member& to, std::string_view line,
                          core::MessageQueue::Ticket ticket);
  void press(ChildId sender, Member& to);
  [[nodiscard]] bool was_asked(Member& by, const Routing& answer);
  [[nodiscard]] std::optional<ChildId> child_of(std::int64_t pid) const;
  static bool forget_asked(Member& by, ChildId asker, std::int64_t request);
  void lost(ChildId receiver, const core::MessageQueue::Lost& message);
  void could_not_queue(ChildId sender, std::string_view action, std::int64_t count,
                       std::int64_t request);
  void is_gone(ChildId asker, std::int64_t request);
  template <typename Add>
  void add_untold(ChildId sender, const Add& add);

  // messenger_events.cpp: what programs hear of the cluster and of each other.
  void will_hear(ChildId child, Hears how);
  void happened(ChildId child, Member& member, const char* event);
  void tell_ready(ChildId child, Member& member);
  void became_ready(ChildId child, Member& member, bool ready);
  void has_left(ChildId child, const Member& member);
  void post_egg(ChildId child, const char* action, const std::string& data);
  void tell_workers_of_agent(const char* event);
  void tell_agent_of_workers();
  [[nodiscard]] std::string ready_pids(Role role) const;

  config::Messages settings_;
  core::MessageRouter router_;
  std::map<ChildId, Member> members_;
  std::vector<ChildId> receivers_;  ///< of the message that is being routed
  OperatorEvents operator_;
  std::function<void(ChildId, const protocol::Ran&)> run_dropped_;
  bool cluster_ready_ = false;
  std::uint64_t queued_ = 0;
  std::uint64_t undelivered_ = 0;
};

}  // namespace clusterd::runtime
