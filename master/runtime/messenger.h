#pragma once

#include "common/envelope.h"
#include "common/ids.h"
#include "common/unique_fd.h"
#include "master/core/message_router.h"
#include "master/runtime/channel.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace clusterd::runtime {

/// Carries messages from program to program, and the cluster's events to all. At most once, in
/// order for each sender and receiver; what cannot be queued is told to the sender.
class Messenger {
 public:
  /// What a child is told beside messages.
  enum class Dialect : std::uint8_t {
    native,  ///< what happens, and what could not be queued, as lines of ours
    node,    ///< nothing but what Egg's programs know, once it has spoken as one of them
  };
  void join(ChildId child, std::shared_ptr<Channel> channel, std::int64_t pid,
            std::optional<SlotId> slot, Dialect dialect = Dialect::native);
  /// It can be given messages with a descriptor, in lines of its own; false if one was not queued.
  using Taker = std::function<bool(std::string line, UniqueFd fd)>;
  void takes_descriptors(ChildId child, Taker taker);
  void set_ready(ChildId child, bool ready);
  void leave(ChildId child);

  /// `line` is the envelope as it came, and goes out as it came.
  void route(ChildId sender, const Envelope& envelope, std::string_view line);
  /// One with a descriptor, which can be one process's only. False if nobody got it: there was
  /// nobody, more than one, or one that can not be given any.
  [[nodiscard]] bool pass(ChildId sender, const Envelope& envelope, std::string line, UniqueFd fd);
  /// Tells everybody, and later all that become ready, once each.
  void cluster_is_ready();
  /// All that waited for `child` was sent.
  void all_sent(ChildId child);

 private:
  /// What a sender has not been told yet. Told at once, or together when it has read the rest: else
  /// a sender that does not read would fill its own channel.
  struct Undelivered {
    std::string action;  ///< empty if they differ
    std::int64_t count = 0;
  };
  struct Member {
    std::shared_ptr<Channel> channel;
    Taker taker;  ///< may be empty
    std::int64_t pid = 0;
    Dialect dialect = Dialect::native;
    bool speaks_egg = false;
    Undelivered undelivered;
    bool told = false;   ///< a line about it is on its way
    bool knows = false;  ///< of cluster-ready
  };

  void could_not_queue(ChildId sender, const std::string& action, std::int64_t count);
  void tell_ready(Member& member);
  void tell_egg(Member& member) const;

  core::MessageRouter router_;
  std::map<ChildId, Member> members_;
  bool cluster_ready_ = false;
};

}  // namespace clusterd::runtime
