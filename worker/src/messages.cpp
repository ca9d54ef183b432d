#include "worker/src/messages.h"

#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace clusterd::detail {
namespace {

Recipient to_recipient(const To& to) {
  using Kind = Recipient::Kind;
  switch (to.kind()) {
    case To::Kind::all:
      return {Kind::all, 0};
    case To::Kind::app:
      return {Kind::app, 0};
    case To::Kind::agent:
      return {Kind::agent, 0};
    case To::Kind::random:
      return {Kind::random, 0};
    case To::Kind::pid:
      return {Kind::pid, to.number()};
    case To::Kind::slot:
      return {Kind::slot, to.number()};
  }
  return {};
}

/// Without a master this process is slot 0 and every worker there is.
bool is_for_self(const To& to) {
  switch (to.kind()) {
    case To::Kind::all:
    case To::Kind::app:
    case To::Kind::random:
      return true;
    case To::Kind::agent:
      return false;
    case To::Kind::pid:
      return to.number() == ::getpid();
    case To::Kind::slot:
      return to.number() == 0;
  }
  return false;
}

}  // namespace

bool Messages::send(const To& to, std::string_view action, std::string_view json) {
  JsonError wrong;
  auto data = on_one_line(json, &wrong);
  if (!data) {
    throw std::invalid_argument("clusterd: the message \"" + std::string(action) +
                                "\" is no JSON: " + wrong.what + " at byte " +
                                std::to_string(wrong.offset));
  }
  Envelope envelope{std::string(action), to_recipient(to), std::move(*data), ::getpid()};
  const std::string line = seal_envelope(envelope);
  if (line.size() > protocol::kLongestLine) {
    throw std::length_error("clusterd: the message \"" + std::string(action) + "\" has " +
                            std::to_string(line.size()) + " bytes with its envelope; " +
                            std::to_string(protocol::kLongestLine) + " are allowed");
  }
  if (!outbox_) {
    keep_for_self(to, std::move(envelope));
    return true;
  }
  switch (outbox_->post(line)) {
    case Outbox::Posted::queued:
      return true;
    case Outbox::Posted::full:
      return false;
    case Outbox::Posted::gone:
      break;
  }
  add(protocol::Undelivered{std::move(envelope.action), 1});
  return true;
}

void Messages::keep_for_self(const To& to, Envelope envelope) {
  if (is_for_self(to)) return add(std::move(envelope));
  add(protocol::Undelivered{std::move(envelope.action), 1});
}

void Messages::on_message(std::string_view action, Handler handler) {
  if (!handler) {
    handlers_.erase(std::string(action));
    return;
  }
  handlers_[std::string(action)] =
      std::make_shared<Registered>(Registered{std::move(handler), false});
}

void Messages::once(std::string_view action, Handler handler) {
  handlers_[std::string(action)] =
      std::make_shared<Registered>(Registered{std::move(handler), true});
}

void Messages::add(News news) {
  const std::scoped_lock lock(mutex_);
  news_.push_back(std::move(news));
}

bool Messages::waiting() {
  const std::scoped_lock lock(mutex_);
  return !news_.empty();
}

std::vector<Messages::News> Messages::take() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(news_, {});
}

void Messages::tell(const News& news) {
  std::visit([this](const auto& one) { tell_of(one); }, news);
}

void Messages::tell_of(const Envelope& envelope) {
  auto found = handlers_.find(envelope.action);
  if (found == handlers_.end()) found = handlers_.find("");
  if (found == handlers_.end()) return;
  // A copy: the handler may replace itself, or take itself off.
  const auto registered = found->second;
  if (registered->once) handlers_.erase(found);
  registered->handler(Message{envelope.action, envelope.data, envelope.sender_pid});
}

void Messages::tell_of(const protocol::Happened& happened) const {
  if (on_event) on_event(happened.event);
}

void Messages::tell_of(const protocol::Undelivered& undelivered) const {
  if (on_undelivered) on_undelivered(undelivered.action, undelivered.count);
}

}  // namespace clusterd::detail
