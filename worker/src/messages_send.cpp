// What a program sends, asks and answers.
#include "worker/src/messages.h"

#include <algorithm>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace clusterd::detail {
namespace {

/// Of answers, which are told from others by their number alone.
constexpr const char* kReplyAction = "reply";

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

/// JSON on one line, not nested so deeply that the master would not take it in an envelope. It may
/// be a part of `json`, or lie in memory of this thread that its next message uses again.
std::string_view checked(std::string_view action, std::string_view json) {
  static thread_local std::string line;
  JsonError wrong;
  if (!check_member_json(json, &wrong)) {
    throw std::invalid_argument("clusterd: the message \"" + std::string(action) +
                                "\" is no JSON: " + wrong.what + " at byte " +
                                std::to_string(wrong.offset));
  }
  // Outside of strings, where a line break may not be, it is white space.
  const auto breaks = [](char c) { return c == '\n' || c == '\r'; };
  if (json.find('\n') == json.npos && json.find('\r') == json.npos) return json;
  line.assign(json);
  std::replace_if(line.begin(), line.end(), breaks, ' ');
  return line;
}

}  // namespace

bool Messages::send(const To& to, std::string_view action, std::string_view json) {
  return post(to, {action, to_recipient(to), checked(action, json), pid_});
}

bool Messages::request(const To& to, std::string_view action, std::string_view json,
                       Duration timeout, AnswerHandler handler) {
  if (to.kind() == To::Kind::all || to.kind() == To::Kind::app) {
    throw std::invalid_argument("clusterd: the request \"" + std::string(action) +
                                "\" is for several; only one can answer");
  }
  if (!handler) {
    throw std::invalid_argument("clusterd: the request \"" + std::string(action) +
                                "\" has no handler");
  }
  EnvelopeView envelope{action, to_recipient(to), checked(action, json), pid_};
  const TimePoint deadline = Clock::now() + timeout;
  {
    const std::scoped_lock lock(mutex_);
    envelope.request = requests_.add(std::move(handler), deadline);
    if (!armed_for_ || deadline < *armed_for_) arm(deadline);
  }
  try {
    if (post(to, envelope)) return true;
  } catch (...) {
    (void)take_request(envelope.request);
    throw;
  }
  // If it is not there any more, its time was over, and the handler is called.
  return take_request(envelope.request) == nullptr;
}

bool Messages::reply(const ReplyTo& to, std::string_view json) {
  const std::string_view data = checked(kReplyAction, json);
  if (to.request == 0) return true;
  const To sender = To::pid(to.pid);
  return post(sender, {kReplyAction, to_recipient(sender), data, pid_, 0, to.request});
}

bool Messages::post(const To& to, const EnvelopeView& envelope) {
  static thread_local std::string line;
  line.clear();
  append_line(line, envelope);
  if (line.size() > protocol::kLongestLine) {
    throw std::length_error("clusterd: the message \"" + std::string(envelope.action) + "\" has " +
                            std::to_string(line.size()) + " bytes with its envelope; " +
                            std::to_string(protocol::kLongestLine) + " are allowed");
  }
  if (!outbox_) {
    keep_for_self(to, envelope);
    return true;
  }
  const auto posted = outbox_->post(line);
  if (posted == Outbox::Posted::full) return false;
  if (posted == Outbox::Posted::gone) {
    add_undelivered({std::string(envelope.action), 1, {envelope.request}});
  }
  wake();
  return true;
}

void Messages::keep_for_self(const To& to, const EnvelopeView& envelope) {
  if (is_for_self(to)) {
    add(Envelope{std::string(envelope.action), envelope.to, std::string(envelope.data),
                 envelope.sender_pid, envelope.request, envelope.reply});
  } else {
    add_undelivered({std::string(envelope.action), 1, {envelope.request}});
  }
  wake();
}

}  // namespace clusterd::detail
