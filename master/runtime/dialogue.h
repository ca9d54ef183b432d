#pragma once

#include "common/ids.h"
#include "common/notify.h"
#include "common/run_lines.h"
#include "common/unique_fd.h"
#include "config/settings.h"
#include "master/core/child_events.h"
#include "master/os/child_process.h"
#include "master/runtime/event.h"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>

namespace clusterd::runtime {

class Dispatcher;
class EventLog;
class Generations;
class HttpService;
class LogService;
class Messenger;
class NodeListeners;

/// How the master and one child talk, by the child's protocol: what it says becomes events of the
/// core, and what the core decides is told to it in its own words. One a child, from its fork until
/// it is forgotten.
class Dialogue {
 public:
  Dialogue() = default;
  virtual ~Dialogue() = default;
  Dialogue(const Dialogue&) = delete;
  Dialogue& operator=(const Dialogue&) = delete;

  /// The process is there. What is to be said first is said now.
  virtual void start() {}
  /// It is in the rotation.
  virtual void entered_rotation() {}
  /// It is asked to leave; a worker is out of the rotation by now, and its lane has ended.
  virtual void left_rotation() {}
  /// Its process has ended: what it said last is heard now.
  virtual void process_ended() {}

  /// The turns of its loop are counted by its lane, and ping() makes it turn.
  [[nodiscard]] virtual bool counts_turns() const { return false; }
  virtual void ping() {}

  /// It spoke on NOTIFY_SOCKET.
  virtual void on_notice(const notify::Said& /*said*/) {}

 protected:
  /// `handler` for Asio, which does nothing once the dialogue has gone: a timer that has expired is
  /// called with success, whatever becomes of it until then.
  template <typename Handler>
  [[nodiscard]] auto unless_gone(Handler handler) const {
    return [life = std::weak_ptr<const Life>(life_), handler](boost::system::error_code error) {
      if (!error && !life.expired()) handler();
    };
  }

 private:
  struct Life {};
  std::shared_ptr<const Life> life_ = std::make_shared<Life>();
};

/// What all dialogues work with.
struct DialogueNeeds {
  boost::asio::io_context& io;
  Generations& generations;
  Dispatcher& dispatcher;
  Messenger& messenger;
  HttpService& http;
  LogService& log;
  EventLog& event_log;
  NodeListeners& node_listeners;
  std::function<void(ChildId, core::ChildEvent)> happened;
  std::function<void(ChildId)> channel_ended;
  /// It is well enough to be replaced in peace.
  std::function<void(ChildId, std::string why)> recycle;
  /// An event that is about it.
  std::function<Event(ChildId, std::string name)> about;
  std::function<const config::Settings&(ChildId)> settings_of;
  /// What it says of schedules.
  std::function<void(ChildId, const protocol::Handles&)> handles;
  std::function<void(ChildId, const protocol::Ran&)> ran;
  /// It takes messages from now on, and may have been ready before.
  std::function<void(ChildId)> joined;
  /// It is asked to finish what it holds and leave; not so if it is on its way out otherwise.
  std::function<bool(ChildId)> drains;
};

/// With whom.
struct DialoguePartner {
  ChildId id;
  SlotId slot{};  ///< a worker's
  Generation generation{};
  os::ChildProcess& process;
  UniqueFd channel;  ///< the master's end; none if the protocol has none
};

/// The child gets a channel.
[[nodiscard]] bool has_channel(config::Protocol protocol);
[[nodiscard]] std::unique_ptr<Dialogue> dialogue_of(config::Protocol protocol,
                                                    const DialogueNeeds& needs,
                                                    DialoguePartner partner);

}  // namespace clusterd::runtime
