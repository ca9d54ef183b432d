#include "worker/src/c_messages.h"

#include <chrono>
#include <stdexcept>

namespace clusterd::c {
namespace {

To to_recipient(int to, std::int64_t number) {
  switch (to) {
    case CLUSTERD_TO_ALL:
      return To::all();
    case CLUSTERD_TO_APP:
      return To::app();
    case CLUSTERD_TO_AGENT:
      return To::agent();
    case CLUSTERD_TO_RANDOM:
      return To::random();
    case CLUSTERD_TO_PID:
      return To::pid(number);
    case CLUSTERD_TO_SLOT:
      return To::slot(number < 0 || number > UINT32_MAX ? UINT32_MAX
                                                        : static_cast<std::uint32_t>(number));
  }
  throw std::invalid_argument("clusterd: no such recipient: " + std::to_string(to));
}

const char* or_null(const char* json) { return json == nullptr ? "null" : json; }

Messenger::MessageHandler handler_of(clusterd_message_fn callback, void* user) {
  if (callback == nullptr) return nullptr;
  return [=](const Message& message) {
    const std::string name(message.action);
    const std::string data(message.data);
    const clusterd_message plain{name.c_str(), data.c_str(), data.size(), message.sender_pid,
                                 message.request};
    callback(user, &plain);
  };
}

/// These callbacks may be NULL: then there is none.
template <typename Set>
void set(Set&& change) {
  (void)guarded(-1, [&] {
    change();
    return 0;
  });
}

}  // namespace

std::string or_empty(const char* text) { return text == nullptr ? "" : text; }

int send(Messenger& messenger, int to, std::int64_t number, const char* action, const char* json) {
  return guarded(-1, [&] {
    return messenger.send(to_recipient(to, number), or_empty(action), or_null(json)) ? 1 : 0;
  });
}

int request(Messenger& messenger, int to, std::int64_t number, const char* action, const char* json,
            int timeout_ms, clusterd_answer_fn callback, void* user) {
  return guarded(-1, [&] {
    const auto call = [=](const Answer& answer) {
      const std::string data(answer.data);
      const clusterd_answer plain{static_cast<int>(answer.outcome), data.c_str(), data.size(),
                                  answer.sender_pid};
      callback(user, &plain);
    };
    const auto handler = callback == nullptr ? Messenger::AnswerHandler() : call;
    const bool queued = messenger.request(to_recipient(to, number), or_empty(action), or_null(json),
                                          std::chrono::milliseconds(timeout_ms), handler);
    return queued ? 1 : 0;
  });
}

int reply(Messenger& messenger, std::int64_t sender_pid, std::int64_t request, const char* json) {
  return guarded(
      -1, [&] { return messenger.reply(ReplyTo{sender_pid, request}, or_null(json)) ? 1 : 0; });
}

int on_message(Messenger& messenger, const char* action, clusterd_message_fn callback, void* user,
               bool once) {
  return guarded(-1, [&] {
    if (once && callback != nullptr) {
      messenger.once(or_empty(action), handler_of(callback, user));
    } else {
      messenger.on(or_empty(action), handler_of(callback, user));
    }
    return 0;
  });
}

void on_send_room(Messenger& messenger, void (*callback)(void* user), void* user) {
  set([&] {
    messenger.on_send_room([=] {
      if (callback != nullptr) callback(user);
    });
  });
}

void on_undelivered(Messenger& messenger, clusterd_undelivered_fn callback, void* user) {
  set([&] {
    messenger.on_undelivered([=](std::string_view action, std::int64_t count) {
      if (callback != nullptr) callback(user, std::string(action).c_str(), count);
    });
  });
}

void on_pressure(Messenger& messenger, clusterd_pressure_fn callback, void* user) {
  set([&] {
    messenger.on_pressure([=](std::int64_t pid, bool high) {
      if (callback != nullptr) callback(user, pid, high ? 1 : 0);
    });
  });
}

void on_event(Messenger& messenger, clusterd_event_fn callback, void* user) {
  set([&] {
    messenger.on_event([=](std::string_view event) {
      if (callback != nullptr) callback(user, std::string(event).c_str());
    });
  });
}

}  // namespace clusterd::c
