#include "clusterd/agent.hpp"

#include "agent/src/agent_state.h"

#include <utility>

namespace clusterd {

Agent::Agent() : Agent(std::make_unique<detail::AgentState>()) {}
Agent::Agent(std::unique_ptr<detail::AgentState> state)
    : Messenger(state->messages), state_(std::move(state)) {}
Agent::Agent(Agent&&) noexcept = default;
Agent& Agent::operator=(Agent&&) noexcept = default;
Agent::~Agent() = default;

bool Agent::managed() const { return state_->managed; }
void Agent::ready() { state_->say_ready(); }

void Agent::on_stop(std::function<void()> callback) { state_->stop_callback = std::move(callback); }
bool Agent::stopping() const { return state_->ended || state_->stopped; }
void Agent::stop() { state_->stop(); }

void Agent::on_error(std::function<void(std::string_view)> callback) {
  state_->error_callback = std::move(callback);
}
std::uint64_t Agent::errors() const { return state_->errors; }
void Agent::escaped(const std::exception_ptr& exception) noexcept { state_->escaped(exception); }

void Agent::on_schedule(std::string_view schedule, RunHandler handler) {
  state_->runs->on_schedule(schedule, std::move(handler));
}

void Agent::post(std::function<void()> call) { state_->post(std::move(call)); }

int Agent::run() {
  while (!finished()) dispatch(-1);
  return 0;
}

int Agent::fd() const { return state_->epoll.get(); }
void Agent::dispatch(int timeout_ms) { state_->dispatch(timeout_ms); }
bool Agent::finished() const { return state_->finished(); }
void Agent::watch(int fd, std::function<void()> on_readable) {
  state_->watch(fd, std::move(on_readable));
}
void Agent::unwatch(int fd) { state_->unwatch(fd); }

}  // namespace clusterd
