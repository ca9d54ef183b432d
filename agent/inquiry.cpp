#include "agent/inquiry.h"

#include <algorithm>
#include <utility>

namespace clusterd::agent {

Inquiry::Inquiry(boost::asio::io_context& io, Ask ask, Duration patience)
    : ask_(std::move(ask)), patience_(patience), timer_(io) {}

void Inquiry::want(bool metrics, Heard heard) {
  waiting_.push_back({asked_ + 1, metrics, Clock::now() + patience_, std::move(heard)});
  if (asked_ == answered_) ask();
  watch();
}

void Inquiry::ask() {
  const bool metrics =
      std::any_of(waiting_.begin(), waiting_.end(), [](const Waiting& one) { return one.metrics; });
  ask_({++asked_, metrics});
}

void Inquiry::answered(const protocol::Reported& reported,
                       std::shared_ptr<const std::string> metrics) {
  if (reported.ack != asked_) return;
  answered_ = asked_;
  const View view{reported.ready, reported.reason, std::move(metrics)};
  while (!waiting_.empty() && waiting_.front().seq <= answered_) {
    const Heard heard = std::move(waiting_.front().heard);
    waiting_.pop_front();
    heard(view);
  }
  // What the last of them led to may have asked already.
  if (!waiting_.empty() && asked_ == answered_) ask();
}

void Inquiry::watch() {
  if (waiting_.empty() || std::exchange(timer_runs_, true)) return;
  timer_.expires_at(waiting_.front().until);
  timer_.async_wait([this](boost::system::error_code error) {
    timer_runs_ = false;
    if (error) return;
    const TimePoint now = Clock::now();
    while (!waiting_.empty() && waiting_.front().until <= now) {
      const Heard heard = std::move(waiting_.front().heard);
      waiting_.pop_front();
      heard(std::nullopt);
    }
    watch();
  });
}

}  // namespace clusterd::agent
