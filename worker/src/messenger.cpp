#include "clusterd/messenger.hpp"

#include "worker/src/messages.h"

#include <utility>

namespace clusterd {

Messenger::Messenger(std::shared_ptr<detail::Messages> messages) : messages_(std::move(messages)) {}
Messenger::Messenger(Messenger&&) noexcept = default;
Messenger& Messenger::operator=(Messenger&&) noexcept = default;
Messenger::~Messenger() = default;

bool Messenger::send(const To& to, std::string_view action, std::string_view json) {
  return messages_->send(to, action, json);
}

bool Messenger::request(const To& to, std::string_view action, std::string_view json,
                        std::chrono::milliseconds timeout, AnswerHandler handler) {
  // In nanoseconds the longest times are too long.
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
  if (timeout < std::chrono::milliseconds::zero() || timeout > kLongest) timeout = kLongest;
  return messages_->request(to, action, json, timeout, std::move(handler));
}

bool Messenger::reply(const ReplyTo& to, std::string_view json) {
  return messages_->reply(to, json);
}

void Messenger::on(std::string_view action, MessageHandler handler) {
  messages_->on(action, std::move(handler));
}

void Messenger::once(std::string_view action, MessageHandler handler) {
  messages_->once(action, std::move(handler));
}

void Messenger::on_send_room(std::function<void()> callback) {
  messages_->on_room = std::move(callback);
}

void Messenger::on_undelivered(std::function<void(std::string_view, std::int64_t)> callback) {
  messages_->on_undelivered = std::move(callback);
}

void Messenger::on_pressure(std::function<void(std::int64_t, bool)> callback) {
  messages_->on_pressure = std::move(callback);
}

void Messenger::on_event(std::function<void(std::string_view)> callback) {
  messages_->on_event = std::move(callback);
}

}  // namespace clusterd
