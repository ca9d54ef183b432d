#include "worker/src/runs.h"

#include "worker/src/complain.h"

#include <utility>

namespace clusterd {

std::string_view Run::id() const { return state_->run.run; }
std::string_view Run::schedule() const { return state_->run.schedule; }
std::string_view Run::data() const { return state_->run.data; }

void Run::done() const { state_->end({}); }

void Run::fail(std::string_view why) const {
  state_->end(why.empty() ? "it gave no reason" : std::string(why));
}

namespace detail {

void RunReports::say(const std::string& line) {
  const std::scoped_lock lock(mutex_);
  if (outbox_) outbox_->urge(line);
}

void RunReports::ended(const protocol::Ran& ran) {
  say(encode(ran));
  --open_;
  // Who drains may have waited for it, and what was urged for room in the socket.
  const std::scoped_lock lock(mutex_);
  if (wake_) wake_();
}

void RunReports::close() {
  const std::scoped_lock lock(mutex_);
  outbox_.reset();
  wake_ = nullptr;
}

void RunState::end(std::string error) {
  if (over.exchange(true)) return;
  reports->ended({run.run, std::move(error)});
}

void Runs::on_schedule(std::string_view schedule, Handler handler) {
  const std::string name(schedule);
  handlers_[name] = std::make_shared<Handler>(std::move(handler));
  reports_->say(encode(protocol::Handles{name}));
}

void Runs::start() {
  for (protocol::RunNow& now : std::exchange(waiting_, {})) {
    const auto found = handlers_.find(now.schedule);
    // A copy: the handler may replace itself.
    const auto handler = found == handlers_.end() ? nullptr : found->second;
    const auto state = std::make_shared<RunState>(std::move(now), reports_);
    if (!handler || !*handler) {
      state->end("it has no handler");
      continue;
    }
    try {
      (*handler)(Run(state));
    } catch (...) {
      const std::string text = text_of(std::current_exception());
      state->end(text.empty() ? "an exception without a text" : text);
    }
  }
}

}  // namespace detail
}  // namespace clusterd
