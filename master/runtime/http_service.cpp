#include "master/runtime/http_service.h"

#include "common/log.h"
#include "master/os/memory_file.h"
#include "master/runtime/metrics_page.h"
#include "master/runtime/open_listener.h"
#include "master/runtime/readiness.h"

#include <fcntl.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

/// Between two answers. What an honest agent asks, one question at a time for all of its clients,
/// is hardly delayed by it; and what a mad one asks costs the master a bounded share of its time.
constexpr auto kPause = std::chrono::milliseconds(10);
/// Until the next look whether the agent has read what it was told.
constexpr auto kUnread = std::chrono::milliseconds(100);

}  // namespace

Result<std::optional<os::Listener>> open_http(const config::Http& settings) {
  if (!settings.at) return std::optional<os::Listener>{};
  auto opened = open_listener(*settings.at);
  if (!opened) return Error{opened.error().code, "http.address: " + opened.error().what};
  return std::optional<os::Listener>(std::move(*opened));
}

HttpService::HttpService(boost::asio::io_context& io, Needs needs, const config::Http& settings,
                         std::optional<os::Listener> listener)
    : needs_(needs), place_{settings, std::move(listener)}, timer_(io) {}

void HttpService::worker_gone(ChildId id, const LaneStatus& last) {
  counters_.worker(id, last.taken, last.requests);
  counters_.forget(id);
}

void HttpService::listener_goes(core::ListenerIndex index) {
  look_at(index);
  counters_.listener_gone(index);
}

/// Brings the counters to where everything is now.
void HttpService::look() {
  needs_.dispatcher.refresh();
  for (const core::ListenerIndex index : needs_.generations.indices()) look_at(index);
  for (const auto& [id, child] : needs_.cluster.children()) {
    if (id.role != Role::worker) continue;
    const LaneStatus lane = needs_.dispatcher.status(id);
    counters_.worker(id, lane.taken, lane.requests);
  }
}

void HttpService::look_at(core::ListenerIndex index) {
  counters_.listener(index, needs_.generations.listen(index).name,
                     needs_.dispatcher.accepted(index), needs_.dispatcher.expired(index));
}

void HttpService::serve(std::shared_ptr<Channel> agent) {
  agent_ = std::move(agent);
  waits_.reset();
  if (place_.listener) hand_over();
}

void HttpService::hand_over() {
  if (!agent_) return;
  std::vector<UniqueFd> fds;
  if (place_.listener) {
    fds.emplace_back(::fcntl(place_.listener->fd(), F_DUPFD_CLOEXEC, 0));
    if (!fds.back()) {
      log::error(errno_error("copy the listener of http.address").message());
      fds.clear();
    }
  }
  const protocol::ServeHttp line{static_cast<std::int64_t>(fds.size())};
  agent_->send(encode(line), std::move(fds));
}

void HttpService::asked(const protocol::Report& report) {
  const bool metrics = report.metrics || (waits_ && waits_->metrics);
  waits_ = protocol::Report{report.seq, metrics};
  if (timer_runs_) return;
  const Duration since = Clock::now() - answered_at_;
  if (since < kPause) return answer_in(kPause - since);
  answer();
}

void HttpService::answer_in(Duration delay) {
  timer_runs_ = true;
  timer_.expires_after(delay);
  timer_.async_wait([this](boost::system::error_code error) {
    timer_runs_ = false;
    if (!error) answer();
  });
}

void HttpService::answer() {
  if (!waits_ || !agent_) return;
  if (!agent_->is_read()) return answer_in(kUnread);
  const protocol::Report asked = *std::exchange(waits_, std::nullopt);
  const Readiness now = readiness(needs_.cluster);
  protocol::Reported reported{asked.seq, 0, now.ready, now.reason};
  std::vector<UniqueFd> fds;
  if (asked.metrics) {
    look();
    auto page = os::memory_file(
        "clusterd metrics",
        metrics_page({needs_.cluster, needs_.dispatcher, needs_.generations, counters_,
                      needs_.messenger.carried(), started_at_, Clock::now()}));
    if (page) fds.push_back(std::move(*page));  // else the agent says that there are none
  }
  reported.fds = static_cast<std::int64_t>(fds.size());
  agent_->send(encode(reported), std::move(fds));
  answered_at_ = Clock::now();
}

Result<void> HttpService::prepare(const config::Http& settings) {
  next_.reset();
  if (settings.at == place_.settings.at) return {};
  auto opened = open_http(settings);
  if (!opened) return opened.error();
  next_.emplace(Place{settings, std::move(*opened)});
  return {};
}

void HttpService::commit() {
  if (!next_) return;
  // By members: a listener can be made anew and moved, but not assigned.
  place_.settings = next_->settings;
  place_.listener.reset();
  if (next_->listener) place_.listener.emplace(std::move(*next_->listener));
  next_.reset();
  hand_over();
}

std::string HttpService::address() const { return place_.listener ? place_.listener->text() : ""; }

}  // namespace clusterd::runtime
