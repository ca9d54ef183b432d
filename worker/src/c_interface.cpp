#include "worker/src/c_messages.h"
#include "worker/src/c_runs.h"

#include <algorithm>
#include <clusterd/worker.h>
#include <clusterd/worker.hpp>
#include <cstring>
#include <string>
#include <utility>

struct clusterd_worker {
  clusterd::Worker worker;
  std::uint32_t listeners = 0;
};

struct clusterd_connection {
  clusterd::Connection connection;
};

using clusterd::c::guarded;
using clusterd::c::last_error;
using clusterd::c::or_empty;

namespace {

int copy_text(const std::string& from, char* to, int size) {
  if (to != nullptr && size > 0) {
    const auto room = static_cast<std::size_t>(size) - 1;
    const std::size_t length = std::min(room, from.size());
    std::memcpy(to, from.data(), length);
    to[length] = '\0';
  }
  return static_cast<int>(from.size());
}

}  // namespace

extern "C" {

int clusterd_worker_api(void) { return CLUSTERD_WORKER_API; }

clusterd_worker* clusterd_worker_new(void) {
  return guarded<>(static_cast<clusterd_worker*>(nullptr), [] { return new clusterd_worker; });
}

void clusterd_worker_free(clusterd_worker* worker) { delete worker; }

int clusterd_worker_managed(const clusterd_worker* worker) {
  return worker->worker.managed() ? 1 : 0;
}

int clusterd_worker_listen(clusterd_worker* worker, const char* name, const char* address,
                           clusterd_connection_fn handler, void* user) {
  return guarded(-1, [&] {
    const clusterd::Endpoint endpoint(or_empty(name), or_empty(address));
    const auto id = worker->worker.listen(endpoint, [=](clusterd::Connection connection) {
      handler(user, new clusterd_connection{std::move(connection)});
    });
    ++worker->listeners;
    return static_cast<int>(id);
  });
}

int clusterd_worker_datagram(clusterd_worker* worker, const char* name, const char* address) {
  return guarded(-1, [&] {
    return worker->worker.datagram(clusterd::Endpoint(or_empty(name), or_empty(address)));
  });
}

int clusterd_worker_address(const clusterd_worker* worker, int listener, char* text, int size) {
  if (listener < 0 || static_cast<std::uint32_t>(listener) >= worker->listeners) return -1;
  return guarded(-1, [&] {
    const auto id = static_cast<clusterd::Worker::ListenerId>(listener);
    return copy_text(worker->worker.address(id), text, size);
  });
}

int clusterd_worker_ready(clusterd_worker* worker) {
  return guarded(-1, [&] {
    worker->worker.ready();
    return 0;
  });
}

void clusterd_worker_on_drain(clusterd_worker* worker, clusterd_drain_fn callback, void* user) {
  (void)guarded(-1, [&] {
    worker->worker.on_drain([=] { callback(user); });
    return 0;
  });
}

void clusterd_worker_suicide(clusterd_worker* worker, const char* reason) {
  (void)guarded(-1, [&] {
    worker->worker.suicide(or_empty(reason));
    return 0;
  });
}

int clusterd_worker_draining(const clusterd_worker* worker) {
  return worker->worker.draining() ? 1 : 0;
}

int clusterd_worker_send(clusterd_worker* worker, int to, std::int64_t number, const char* action,
                         const char* json) {
  return clusterd::c::send(worker->worker, to, number, action, json);
}

int clusterd_worker_request(clusterd_worker* worker, int to, std::int64_t number,
                            const char* action, const char* json, int timeout_ms,
                            clusterd_answer_fn callback, void* user) {
  return clusterd::c::request(worker->worker, to, number, action, json, timeout_ms, callback, user);
}

int clusterd_worker_reply(clusterd_worker* worker, std::int64_t sender_pid, std::int64_t request,
                          const char* json) {
  return clusterd::c::reply(worker->worker, sender_pid, request, json);
}

int clusterd_worker_on_schedule(clusterd_worker* worker, const char* schedule,
                                clusterd_run_fn callback, void* user) {
  return guarded(-1, [&] {
    worker->worker.on_schedule(or_empty(schedule), clusterd::c::run_handler(callback, user));
    return 0;
  });
}

int clusterd_worker_on_message(clusterd_worker* worker, const char* action,
                               clusterd_message_fn callback, void* user) {
  return clusterd::c::on_message(worker->worker, action, callback, user, false);
}

int clusterd_worker_once(clusterd_worker* worker, const char* action, clusterd_message_fn callback,
                         void* user) {
  return clusterd::c::on_message(worker->worker, action, callback, user, true);
}

void clusterd_worker_on_send_room(clusterd_worker* worker, clusterd_call_fn callback, void* user) {
  clusterd::c::on_send_room(worker->worker, callback, user);
}

void clusterd_worker_on_undelivered(clusterd_worker* worker, clusterd_undelivered_fn callback,
                                    void* user) {
  clusterd::c::on_undelivered(worker->worker, callback, user);
}

void clusterd_worker_on_pressure(clusterd_worker* worker, clusterd_pressure_fn callback,
                                 void* user) {
  clusterd::c::on_pressure(worker->worker, callback, user);
}

void clusterd_worker_on_event(clusterd_worker* worker, clusterd_event_fn callback, void* user) {
  clusterd::c::on_event(worker->worker, callback, user);
}

int clusterd_worker_post(clusterd_worker* worker, clusterd_call_fn callback, void* user) {
  return guarded(-1, [&] {
    worker->worker.post([=] { callback(user); });
    return 0;
  });
}

int clusterd_worker_run(clusterd_worker* worker) {
  return guarded(-1, [&] { return worker->worker.run(); });
}

int clusterd_worker_fd(const clusterd_worker* worker) { return worker->worker.fd(); }

int clusterd_worker_dispatch(clusterd_worker* worker, int timeout_ms) {
  return guarded(-1, [&] {
    worker->worker.dispatch(timeout_ms);
    return 0;
  });
}

int clusterd_worker_watch(clusterd_worker* worker, int fd, clusterd_call_fn callback, void* user) {
  return guarded(-1, [&] {
    worker->worker.watch(fd, [=] { callback(user); });
    return 0;
  });
}

void clusterd_worker_unwatch(clusterd_worker* worker, int fd) { worker->worker.unwatch(fd); }

int clusterd_worker_finished(const clusterd_worker* worker) {
  return worker->worker.finished() ? 1 : 0;
}

int clusterd_worker_exit_code(const clusterd_worker* worker) { return worker->worker.exit_code(); }

void clusterd_worker_count_request(clusterd_worker* worker) { worker->worker.count_request(); }

std::uint32_t clusterd_worker_active(const clusterd_worker* worker) {
  return worker->worker.active();
}

int clusterd_connection_fd(const clusterd_connection* connection) {
  return connection->connection.fd();
}

int clusterd_connection_peer(const clusterd_connection* connection, char* text, int size) {
  return guarded(-1, [&] { return copy_text(connection->connection.peer().text(), text, size); });
}

void clusterd_connection_close(clusterd_connection* connection) { delete connection; }

int clusterd_connection_release(clusterd_connection* connection) {
  const int fd = connection->connection.detach().fd;
  delete connection;
  return fd;
}

}  // extern "C"
