#pragma once

#include "clusterd/message.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace clusterd {

namespace detail {
class Messages;
}  // namespace detail

inline namespace [[gnu::visibility("default")]] v0_1_0 {

/// Messages between the programs of a cluster: at most once, in order from one sender to one
/// receiver. Without clusterd this process is slot 0 and the only worker there is. Worker and its
/// like are messengers; there is none by itself.
///
/// Any thread may send, ask and answer. Handlers are set and called by the thread that runs the
/// program's loop. What a handler throws is dealt with as that of any other handler.
class Messenger {
 public:
  using MessageHandler = std::function<void(const Message&)>;
  using AnswerHandler = std::function<void(const Answer&)>;

  /// `json` goes to all that `to` means. False if 256 KiB wait to be sent: it was not queued, and
  /// on_send_room() says when to go on. Throws std::invalid_argument if `json` is none, and
  /// std::length_error if it has more than about 64 KiB.
  [[nodiscard]] bool send(const To& to, std::string_view action, std::string_view json = "null");
  bool broadcast(std::string_view action, std::string_view json = "null") {
    return send(To::all(), action, json);
  }
  bool send_to_app(std::string_view action, std::string_view json = "null") {
    return send(To::app(), action, json);
  }
  bool send_to_agent(std::string_view action, std::string_view json = "null") {
    return send(To::agent(), action, json);
  }
  bool send_random(std::string_view action, std::string_view json = "null") {
    return send(To::random(), action, json);
  }
  bool send_to(std::int64_t pid, std::string_view action, std::string_view json = "null") {
    return send(To::pid(pid), action, json);
  }
  bool send_to_slot(std::uint32_t slot, std::string_view action, std::string_view json = "null") {
    return send(To::slot(slot), action, json);
  }

  /// A message that is to be answered: `handler` is called once, with the answer or with why there
  /// is none. A negative timeout is none: only the end of the receiver, or of the master, ends it.
  /// For one receiver: throws std::invalid_argument for To::all() and To::app(). False, and
  /// `handler` is never called, where send() says no.
  [[nodiscard]] bool request(const To& to, std::string_view action, std::string_view json,
                             std::chrono::milliseconds timeout, AnswerHandler handler);
  /// Answers a message whose `request` is not 0, now or later; what is no request is left alone.
  /// The same as send() in all else.
  bool reply(const ReplyTo& to, std::string_view json = "null");
  bool reply(const Message& request, std::string_view json = "null") {
    return reply(request.reply_to(), json);
  }

  /// Called for every message with this action; "" for those that have no handler of their own. An
  /// empty handler takes it off.
  void on(std::string_view action, MessageHandler handler);
  void on_message(std::string_view action, MessageHandler handler) {
    on(action, std::move(handler));
  }
  /// Called for the next one only.
  void once(std::string_view action, MessageHandler handler);

  /// Called when send() has said no and half of what may wait is free again.
  void on_send_room(std::function<void()> callback);
  /// So many receivers have missed messages of ours with this action: there is no such receiver, it
  /// does not read what it is sent, or it has ended before it heard them. An empty action stands
  /// for several, or is not known any more. A request is told to its own handler instead.
  void on_undelivered(std::function<void(std::string_view action, std::int64_t count)> callback);
  /// The receiver with this pid is slow: a quarter of what may wait for it does, and when that is
  /// full messages will not be delivered to it. `high` is false when no more than an eighth waits.
  /// One sender that stops until then, and when send() says no, misses nobody.
  void on_pressure(std::function<void(std::int64_t pid, bool high)> callback);
  /// What happens in the cluster: "cluster-ready" (every child is ready), "log-reload" (files of
  /// logs were renamed: open yours anew); to workers also "agent-exit" (the agent program has
  /// ended) and "agent-start" (the next one is ready). Others may come one day.
  void on_event(std::function<void(std::string_view event)> callback);

 protected:
  explicit Messenger(std::shared_ptr<detail::Messages> messages);
  Messenger(Messenger&&) noexcept;
  Messenger& operator=(Messenger&&) noexcept;
  ~Messenger();

 private:
  std::shared_ptr<detail::Messages> messages_;
};

}  // namespace v0_1_0
}  // namespace clusterd
