#include "master/runtime/program_failures.h"

#include "master/runtime/event_log.h"
#include "master/runtime/http_service.h"

#include <chrono>
#include <utility>

namespace clusterd::runtime {
namespace {

constexpr auto kBetween = std::chrono::seconds(1);

}  // namespace

struct ProgramFailures::State {
  State(const DialogueNeeds& what, ChildId who) : needs(what), id(who), pause(what.io) {}

  const DialogueNeeds& needs;
  const ChildId id;
  boost::asio::steady_timer pause;
  bool pausing = false;
  std::int64_t count = 0;  ///< that nobody has been told of
  std::string last;
};

ProgramFailures::ProgramFailures(const DialogueNeeds& needs, ChildId id)
    : state_(std::make_shared<State>(needs, id)) {}

void ProgramFailures::add(const protocol::Failed& failed) {
  state_->needs.http.counters().agent_failed();
  state_->last = failed.what;
  ++state_->count;
  if (!state_->pausing) tell(state_);
}

void ProgramFailures::tell(const std::shared_ptr<State>& state) {
  state->pausing = state->count > 0;
  if (!state->pausing) return;
  Event event = state->needs.about(state->id, "agent_error");
  event.reason = state->last;
  event.numbers = {{"count", std::exchange(state->count, 0)}};
  state->needs.event_log.record(event);
  state->pause.expires_after(kBetween);
  // A timer that has expired is called with success, whatever has gone until then.
  state->pause.async_wait([weak = std::weak_ptr(state)](boost::system::error_code error) {
    const auto here = weak.lock();
    if (here && !error) tell(here);
  });
}

}  // namespace clusterd::runtime
