#include <algorithm>
#include <clusterd/worker.h>
#include <clusterd/worker.hpp>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

struct clusterd_worker {
  clusterd::Worker worker;
  std::uint32_t listeners = 0;
};

struct clusterd_connection {
  clusterd::Connection connection;
};

namespace {

std::string& last_error() {
  thread_local std::string text;
  return text;
}

/// Runs `call`, which may throw; no exception may pass into C.
template <typename Call, typename Value>
Value guarded(Value on_failure, Call&& call) noexcept {
  try {
    return call();
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

std::string or_empty(const char* text) { return text == nullptr ? "" : text; }

clusterd::To to_recipient(int to, std::int64_t number) {
  using clusterd::To;
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
      return To::slot(number < 0 ? UINT32_MAX : static_cast<uint32_t>(number));
  }
  throw std::invalid_argument("clusterd: no such recipient: " + std::to_string(to));
}

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

const char* clusterd_last_error(void) { return last_error().c_str(); }

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
  return guarded(-1, [&] {
    return worker->worker.send(to_recipient(to, number), or_empty(action),
                               json == nullptr ? "null" : json)
               ? 1
               : 0;
  });
}

int clusterd_worker_on_message(clusterd_worker* worker, const char* action,
                               clusterd_message_fn callback, void* user) {
  return guarded(-1, [&] {
    if (callback == nullptr) {
      worker->worker.on_message(or_empty(action), nullptr);
      return 0;
    }
    worker->worker.on_message(or_empty(action), [=](const clusterd::Message& message) {
      const std::string name(message.action);
      const std::string data(message.data);
      const clusterd_message plain{name.c_str(), data.c_str(), data.size(), message.sender_pid};
      callback(user, &plain);
    });
    return 0;
  });
}

void clusterd_worker_on_send_room(clusterd_worker* worker, clusterd_call_fn callback, void* user) {
  (void)guarded(-1, [&] {
    worker->worker.on_send_room([=] { callback(user); });
    return 0;
  });
}

void clusterd_worker_on_undelivered(clusterd_worker* worker, clusterd_undelivered_fn callback,
                                    void* user) {
  (void)guarded(-1, [&] {
    worker->worker.on_undelivered([=](std::string_view action, std::int64_t count) {
      callback(user, std::string(action).c_str(), count);
    });
    return 0;
  });
}

void clusterd_worker_on_event(clusterd_worker* worker, clusterd_event_fn callback, void* user) {
  (void)guarded(-1, [&] {
    worker->worker.on_event(
        [=](std::string_view event) { callback(user, std::string(event).c_str()); });
    return 0;
  });
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
