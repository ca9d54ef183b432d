#include "clusterd/worker.hpp"

#include "worker/src/worker_state.h"

#include <utility>

namespace clusterd {

Worker::Worker() : Worker(std::make_unique<detail::WorkerState>()) {}
Worker::Worker(std::unique_ptr<detail::WorkerState> state)
    : Messenger(state->messages), state_(std::move(state)) {}
Worker::Worker(Worker&&) noexcept = default;
Worker& Worker::operator=(Worker&&) noexcept = default;
Worker::~Worker() = default;

bool Worker::managed() const { return state_->managed; }

Worker::ListenerId Worker::listen(const Endpoint& endpoint, Handler handler) {
  const ListenerId id = state_->open(endpoint);
  state_->want(id, std::move(handler), true);
  return id;
}

Worker::ListenerId Worker::open(const Endpoint& endpoint) { return state_->open(endpoint); }

int Worker::datagram(const Endpoint& endpoint) { return state_->open_datagram(endpoint); }

void Worker::want(ListenerId listener, Handler handler) {
  state_->want(listener, std::move(handler), false);
}

std::string Worker::address(ListenerId listener) const {
  return state_->listeners[static_cast<std::size_t>(listener)]->address;
}

bool Worker::races(ListenerId listener) const {
  return state_->managed &&
         static_cast<bool>(state_->listeners[static_cast<std::size_t>(listener)]->socket);
}

void Worker::ready() { state_->say_ready(); }

void Worker::on_drain(std::function<void()> callback) {
  state_->drain_callback = std::move(callback);
}

void Worker::suicide(std::string_view reason) { state_->suicide(reason); }

void Worker::escaped(const std::exception_ptr& exception) noexcept { state_->escaped(exception); }

bool Worker::draining() const { return state_->tally->draining.load(); }

void Worker::on_schedule(std::string_view schedule, RunHandler handler) {
  state_->runs->on_schedule(schedule, std::move(handler));
}

bool Worker::in_its_thread() const { return state_->in_its_thread(); }

void Worker::post(std::function<void()> call) { state_->post(std::move(call)); }

void Worker::count_request() {
  state_->tally->page->requests.fetch_add(1, std::memory_order_relaxed);
}

std::uint32_t Worker::active() const { return state_->tally->page->active.load(); }

int Worker::run() {
  while (!finished()) dispatch(-1);
  return exit_code();
}

int Worker::exit_code() const { return state_->suicidal ? 1 : 0; }

int Worker::fd() const { return state_->epoll.get(); }

void Worker::dispatch(int timeout_ms) { state_->dispatch(timeout_ms); }

bool Worker::finished() const { return state_->finished(); }

void Worker::watch(int fd, std::function<void()> on_readable) {
  state_->watch(fd, std::move(on_readable));
}

void Worker::unwatch(int fd) { state_->unwatch(fd); }

}  // namespace clusterd
