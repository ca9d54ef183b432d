#pragma once

#include "clusterd/message.h"
#include "clusterd/messenger.hpp"

#include <exception>
#include <string>
#include <utility>

namespace clusterd {

inline namespace [[gnu::visibility("default")]] v0_1_0 {

/// Exported, so that a program with both shared libraries has one text and not two.
[[nodiscard]] std::string& last_error_text();

}  // namespace v0_1_0

}  // namespace clusterd

/// What the C interfaces of the libraries have in common.
namespace clusterd::c {

/// Why the last call in this thread failed.
[[nodiscard]] std::string& last_error();

/// Runs `call`, which may throw; no exception may pass into C.
template <typename Call, typename Value>
Value guarded(Value on_failure, Call&& call) noexcept {
  try {
    return std::forward<Call>(call)();
  } catch (const std::exception& error) {
    try {
      last_error() = error.what();
    } catch (...) {  // no memory even for that: the failure itself is told
    }
    return on_failure;
  } catch (...) {
    return on_failure;
  }
}

[[nodiscard]] std::string or_empty(const char* text);

// As the functions of worker.h that are called so.
int send(Messenger& messenger, int to, std::int64_t number, const char* action, const char* json);
int request(Messenger& messenger, int to, std::int64_t number, const char* action, const char* json,
            int timeout_ms, clusterd_answer_fn callback, void* user);
int reply(Messenger& messenger, std::int64_t sender_pid, std::int64_t request, const char* json);
int on_message(Messenger& messenger, const char* action, clusterd_message_fn callback, void* user,
               bool once);
void on_send_room(Messenger& messenger, void (*callback)(void* user), void* user);
void on_undelivered(Messenger& messenger, clusterd_undelivered_fn callback, void* user);
void on_pressure(Messenger& messenger, clusterd_pressure_fn callback, void* user);
void on_event(Messenger& messenger, clusterd_event_fn callback, void* user);

}  // namespace clusterd::c
