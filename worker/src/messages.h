#pragma once

#include "clusterd/message.hpp"
#include "common/envelope.h"
#include "common/protocol.h"
#include "worker/src/outbox.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace clusterd::detail {

/// Messages of programs, both ways, and the cluster's events. send() may be called by any thread;
/// handlers are called by the thread that runs the worker, in tell().
class Messages {
 public:
  using Handler = std::function<void(const Message&)>;

  /// Without an outbox there is no master: this process is all the workers there are.
  explicit Messages(std::shared_ptr<Outbox> outbox) : outbox_(std::move(outbox)) {}

  /// Throws std::invalid_argument if `json` is none, std::length_error if it is too long. False:
  /// too much waits, and this was not queued.
  [[nodiscard]] bool send(const To& to, std::string_view action, std::string_view json);

  /// An action "" stands for those that have no handler of their own. An empty handler takes the
  /// one before off.
  void on_message(std::string_view action, Handler handler);
  void once(std::string_view action, Handler handler);

  std::function<void(std::string_view)> on_event;
  std::function<void(std::string_view, std::int64_t)> on_undelivered;

  /// Something for the handlers.
  using News = std::variant<Envelope, protocol::Happened, protocol::Undelivered>;
  void add(News news);
  /// What has come. What its handlers cause themselves waits for the next call.
  [[nodiscard]] std::vector<News> take();
  /// Calls the handler.
  void tell(const News& news);
  /// take() has something to give.
  [[nodiscard]] bool waiting();

 private:
  struct Registered {
    Handler handler;
    bool once = false;
  };

  void tell_of(const Envelope& envelope);
  void tell_of(const protocol::Happened& happened) const;
  void tell_of(const protocol::Undelivered& undelivered) const;
  void keep_for_self(const To& to, Envelope envelope);

  std::shared_ptr<Outbox> outbox_;
  std::map<std::string, std::shared_ptr<Registered>, std::less<>> handlers_;
  std::mutex mutex_;  ///< of what follows
  std::vector<News> news_;
};

}  // namespace clusterd::detail
