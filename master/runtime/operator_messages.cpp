#include "master/runtime/operator_messages.h"

#include "common/protocol.h"

#include <algorithm>
#include <chrono>
#include <unistd.h>
#include <utility>

namespace clusterd::runtime {
namespace {

using Kind = Recipient::Kind;

constexpr std::int64_t kLongestWaitMs = 24 * 3600 * 1000;

std::string receivers(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " receiver" : " receivers");
}

std::string done(const Messenger::Posted& posted) {
  std::string text = "queued for " + receivers(posted.queued);
  if (posted.missed > 0) {
    text += ", not for " + std::to_string(posted.missed) + " more: too much waits there";
  }
  JsonWriter json;
  return json.begin_object()
      .member("ok", true)
      .member("text", text)
      .member("queued", static_cast<std::uint64_t>(posted.queued))
      .member("missed", static_cast<std::uint64_t>(posted.missed))
      .end_object()
      .take();
}

}  // namespace

OperatorMessages::OperatorMessages(boost::asio::io_context& io, Messenger& messenger,
                                   std::function<std::size_t()> slots)
    : io_(io), messenger_(messenger), slots_(std::move(slots)) {
  messenger_.tell_operator(
      {.answered = [this](const Envelope& answer) { answered(answer); },
       .lost = [this](std::int64_t request, std::string_view why) { lost(request, why); }});
}

void OperatorMessages::send(const CheckedJson& request, const Reply& reply) {
  auto envelope = open_envelope(request);
  if (!envelope) return reply.refuse("a message has a text as its \"action\"");
  envelope->sender_pid = ::getpid();
  envelope->request = envelope->reply = 0;
  const auto timeout_ms = request.integer("timeout_ms");
  if (timeout_ms) {
    if (envelope->to.kind == Kind::all || envelope->to.kind == Kind::app) {
      return reply.refuse("only one can answer: wait for \"random\", \"agent\", a slot or a pid");
    }
    envelope->request = next_request_++;
  }
  const std::size_t bytes = seal_envelope(*envelope).size();
  if (bytes > protocol::kLongestLine) {
    return reply.refuse("the message has " + std::to_string(bytes) + " bytes with its envelope; " +
                        std::to_string(protocol::kLongestLine) + " are allowed");
  }
  if (timeout_ms) wait(envelope->request, *timeout_ms, reply);
  const Messenger::Posted posted = messenger_.send(*envelope);
  if (posted.queued == 0) {
    waiting_.erase(envelope->request);
    return reply.refuse(nobody(envelope->to));
  }
  if (!timeout_ms) reply.finish(done(posted));
}

/// Why a message reached nobody.
std::string OperatorMessages::nobody(const Recipient& to) const {
  const auto known = messenger_.count(to);
  if (known > 0) {
    return "too much waits for " + receivers(known) + " already; it was not queued";
  }
  const auto slots = static_cast<std::int64_t>(slots_());
  switch (to.kind) {
    case Kind::agent:
    case Kind::unsaid:
      return "there is no agent program";
    case Kind::random:
      return "no worker that takes messages is ready";
    case Kind::pid:
      return "no program of this cluster that takes messages has the pid " +
             std::to_string(to.number);
    case Kind::slot:
      if (to.number >= 0 && to.number < slots) {
        return "slot " + std::to_string(to.number) + " has no worker that takes messages now";
      }
      return "there is no slot " + std::to_string(to.number) + "; there are 0 to " +
             std::to_string(slots - 1);
    case Kind::all:
    case Kind::app:
      return "there is no worker that takes messages";
    case Kind::elsewhere:
      break;
  }
  return "a message is for \"all\", \"app\", \"agent\", \"random\", a slot or a pid";
}

void OperatorMessages::wait(std::int64_t request, std::int64_t timeout_ms, const Reply& reply) {
  std::erase_if(waiting_, [](const auto& one) { return one.second.reply.gone(); });
  const auto [at, added] = waiting_.try_emplace(request, io_, reply);
  auto& timer = at->second.timer;
  timer.expires_after(
      std::chrono::milliseconds(std::clamp<std::int64_t>(timeout_ms, 0, kLongestWaitMs)));
  timer.async_wait([this, request](boost::system::error_code error) {
    if (!error) lost(request, "there was no answer in time");
  });
}

void OperatorMessages::answered(const Envelope& answer) {
  const auto found = waiting_.find(answer.reply);
  if (found == waiting_.end()) return;
  const Reply reply = found->second.reply;
  waiting_.erase(found);
  JsonWriter json;
  json.begin_object().member("ok", true).member("pid", answer.sender_pid);
  reply.finish(json.key("data").raw(answer.data).end_object().take());
}

void OperatorMessages::lost(std::int64_t request, std::string_view why) {
  const auto found = waiting_.find(request);
  if (found == waiting_.end()) return;
  const Reply reply = found->second.reply;
  waiting_.erase(found);
  reply.refuse(why);
}

}  // namespace clusterd::runtime
