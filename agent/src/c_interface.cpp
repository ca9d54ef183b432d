#include "worker/src/c_messages.h"
#include "worker/src/c_runs.h"

#include <clusterd/agent.h>
#include <clusterd/agent.hpp>
#include <exception>
#include <functional>
#include <string>

using clusterd::c::guarded;
using clusterd::c::or_empty;

struct clusterd_agent {
  clusterd::Agent agent;
};

namespace {

std::function<void()> call_of(clusterd_agent_call_fn callback, void* user) {
  if (callback == nullptr) return nullptr;
  return [=] { callback(user); };
}

/// What can only fail for want of memory.
template <typename Call>
int done(Call&& call) {
  return guarded(-1, [&] {
    call();
    return 0;
  });
}

}  // namespace

extern "C" {

int clusterd_agent_api(void) { return CLUSTERD_AGENT_API; }

clusterd_agent* clusterd_agent_new(void) {
  return guarded<>(static_cast<clusterd_agent*>(nullptr), [] { return new clusterd_agent; });
}

void clusterd_agent_free(clusterd_agent* agent) { delete agent; }

int clusterd_agent_managed(const clusterd_agent* agent) { return agent->agent.managed() ? 1 : 0; }

int clusterd_agent_ready(clusterd_agent* agent) {
  return done([&] { agent->agent.ready(); });
}

void clusterd_agent_on_stop(clusterd_agent* agent, clusterd_agent_call_fn callback, void* user) {
  (void)done([&] { agent->agent.on_stop(call_of(callback, user)); });
}

int clusterd_agent_stopping(const clusterd_agent* agent) { return agent->agent.stopping() ? 1 : 0; }

void clusterd_agent_stop(clusterd_agent* agent) { agent->agent.stop(); }

void clusterd_agent_on_error(clusterd_agent* agent, clusterd_agent_error_fn callback, void* user) {
  (void)done([&] {
    if (callback == nullptr) return agent->agent.on_error(nullptr);
    agent->agent.on_error(
        [=](std::string_view what) { callback(user, std::string(what).c_str()); });
  });
}

void clusterd_agent_failed(clusterd_agent* agent, const char* what) {
  (void)done([&] { agent->agent.escaped(std::make_exception_ptr(or_empty(what))); });
}

std::uint64_t clusterd_agent_errors(const clusterd_agent* agent) { return agent->agent.errors(); }

int clusterd_agent_send(clusterd_agent* agent, int to, std::int64_t number, const char* action,
                        const char* json) {
  return clusterd::c::send(agent->agent, to, number, action, json);
}

int clusterd_agent_request(clusterd_agent* agent, int to, std::int64_t number, const char* action,
                           const char* json, int timeout_ms, clusterd_answer_fn callback,
                           void* user) {
  return clusterd::c::request(agent->agent, to, number, action, json, timeout_ms, callback, user);
}

int clusterd_agent_reply(clusterd_agent* agent, std::int64_t sender_pid, std::int64_t request,
                         const char* json) {
  return clusterd::c::reply(agent->agent, sender_pid, request, json);
}

int clusterd_agent_on_message(clusterd_agent* agent, const char* action,
                              clusterd_message_fn callback, void* user) {
  return clusterd::c::on_message(agent->agent, action, callback, user, false);
}

int clusterd_agent_once(clusterd_agent* agent, const char* action, clusterd_message_fn callback,
                        void* user) {
  return clusterd::c::on_message(agent->agent, action, callback, user, true);
}

void clusterd_agent_on_send_room(clusterd_agent* agent, clusterd_agent_call_fn callback,
                                 void* user) {
  clusterd::c::on_send_room(agent->agent, callback, user);
}

void clusterd_agent_on_undelivered(clusterd_agent* agent, clusterd_undelivered_fn callback,
                                   void* user) {
  clusterd::c::on_undelivered(agent->agent, callback, user);
}

void clusterd_agent_on_pressure(clusterd_agent* agent, clusterd_pressure_fn callback, void* user) {
  clusterd::c::on_pressure(agent->agent, callback, user);
}

void clusterd_agent_on_event(clusterd_agent* agent, clusterd_event_fn callback, void* user) {
  clusterd::c::on_event(agent->agent, callback, user);
}

int clusterd_agent_on_schedule(clusterd_agent* agent, const char* schedule,
                               clusterd_run_fn callback, void* user) {
  return guarded(-1, [&] {
    agent->agent.on_schedule(or_empty(schedule), clusterd::c::run_handler(callback, user));
    return 0;
  });
}

int clusterd_agent_post(clusterd_agent* agent, clusterd_agent_call_fn callback, void* user) {
  return done([&] { agent->agent.post(call_of(callback, user)); });
}

int clusterd_agent_run(clusterd_agent* agent) {
  return guarded(-1, [&] { return agent->agent.run(); });
}

int clusterd_agent_fd(const clusterd_agent* agent) { return agent->agent.fd(); }

int clusterd_agent_dispatch(clusterd_agent* agent, int timeout_ms) {
  return done([&] { agent->agent.dispatch(timeout_ms); });
}

int clusterd_agent_finished(const clusterd_agent* agent) { return agent->agent.finished() ? 1 : 0; }

int clusterd_agent_watch(clusterd_agent* agent, int fd, clusterd_agent_call_fn callback,
                         void* user) {
  return done([&] { agent->agent.watch(fd, call_of(callback, user)); });
}

void clusterd_agent_unwatch(clusterd_agent* agent, int fd) { agent->agent.unwatch(fd); }

}  // extern "C"
