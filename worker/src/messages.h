#pragma once

#include "clusterd/message.hpp"
#include "common/envelope.h"
#include "common/envelope_line.h"
#include "common/protocol.h"
#include "common/unique_fd.h"
#include "worker/src/outbox.h"
#include "worker/src/requests.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

namespace clusterd::detail {

/// What is behind a Messenger: messages of programs, both ways, and the cluster's events. Any
/// thread may send, ask and answer; handlers are called by the thread that runs the loop.
///
/// The loop of its program calls begin_turn() when it wakes, hear() with what the master said, and
/// turn(), then flushes the outbox, and calls on_room if that has room again. It does so when
/// timer() is readable, too, and soon after `wake`, which any thread may call.
class Messages {
 public:
  using Handler = std::function<void(const Message&)>;
  using AnswerHandler = Requests::Handler;

  /// Without an outbox there is no master: this process is all the workers there are.
  Messages(std::shared_ptr<Outbox> outbox, std::function<void()> wake);

  // What a Messenger promises.
  [[nodiscard]] bool send(const To& to, std::string_view action, std::string_view json);
  [[nodiscard]] bool request(const To& to, std::string_view action, std::string_view json,
                             Duration timeout, AnswerHandler handler);
  [[nodiscard]] bool reply(const ReplyTo& to, std::string_view json);
  void on(std::string_view action, Handler handler);
  void once(std::string_view action, Handler handler);

  std::function<void()> on_room;
  std::function<void(std::string_view)> on_event;
  std::function<void(std::string_view, std::int64_t)> on_undelivered;
  std::function<void(std::int64_t, bool)> on_pressure;

  // What the loop does.
  [[nodiscard]] int timer() const { return timer_.get(); }
  /// Until turn() nobody needs to be woken for what this thread sends.
  void begin_turn() { in_turn_.store(std::this_thread::get_id(), std::memory_order_relaxed); }
  /// False if it is not about messages.
  bool hear(protocol::FromMaster said);
  /// No answer will come any more.
  void master_is_gone();
  /// Calls the handlers of what has come, each by guarded(call). What they cause themselves is for
  /// the next turn.
  template <typename Guarded>
  void turn(const Guarded& guarded) {
    woken_.store(false);
    for (const News& news : take()) guarded([&] { tell(news); });
    for (const AnswerHandler& late : take_expired()) {
      guarded([&] { late(Answer{Answer::Outcome::timed_out}); });
    }
    tell_heard();
    in_turn_.store({}, std::memory_order_relaxed);
    if (waiting()) wake();
  }

 private:
  struct Registered {
    Handler handler;
    bool once = false;
  };
  /// A request that will not be answered, and why.
  struct Failed {
    AnswerHandler handler;
    Answer::Outcome why;
  };
  using News =
      std::variant<Envelope, Failed, protocol::Happened, protocol::Undelivered, protocol::Pressure>;

  [[nodiscard]] bool post(const To& to, const EnvelopeView& envelope);
  void keep_for_self(const To& to, const EnvelopeView& envelope);
  void add(News news);
  void add_undelivered(protocol::Undelivered news);
  void fail(std::int64_t request, Answer::Outcome why);
  [[nodiscard]] std::vector<News> take();
  [[nodiscard]] AnswerHandler take_request(std::int64_t number);
  [[nodiscard]] std::vector<AnswerHandler> take_expired();
  [[nodiscard]] bool waiting();
  void tell_heard();
  void wake();
  void arm(TimePoint at);

  void tell(const News& news);
  void tell_of(const Envelope& envelope);
  void tell_of(const Failed& failed) const;
  void tell_of(const protocol::Happened& happened) const;
  void tell_of(const protocol::Undelivered& undelivered) const;
  void tell_of(const protocol::Pressure& pressure) const;

  std::shared_ptr<Outbox> outbox_;
  const std::function<void()> wake_;
  const UniqueFd timer_;
  const std::int64_t pid_;
  std::atomic<std::thread::id> in_turn_{};
  std::atomic<bool> woken_{false};
  std::map<std::string, std::shared_ptr<Registered>, std::less<>> handlers_;
  std::int64_t heard_ = 0;  ///< messages, since the master was told
  std::mutex mutex_;        ///< of what follows
  std::vector<News> news_;
  Requests requests_;
  std::optional<TimePoint> armed_for_;
};

}  // namespace clusterd::detail
