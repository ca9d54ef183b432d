#include "worker/src/requests.h"

namespace clusterd::detail {

std::int64_t Requests::add(Handler handler, TimePoint deadline) {
  const std::int64_t request = next_++;
  deadlines_.emplace(deadline, request);
  waiting_.emplace(request, Waiting{std::move(handler), deadline});
  return request;
}

Requests::Handler Requests::take(std::int64_t request) {
  const auto found = waiting_.find(request);
  if (found == waiting_.end()) return nullptr;
  Handler handler = std::move(found->second.handler);
  deadlines_.erase({found->second.deadline, request});
  waiting_.erase(found);
  return handler;
}

std::vector<Requests::Handler> Requests::take_expired(TimePoint now) {
  std::vector<Handler> expired;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    expired.push_back(take(deadlines_.begin()->second));
  }
  return expired;
}

std::vector<Requests::Handler> Requests::take_all() {
  std::vector<Handler> all;
  while (!waiting_.empty()) all.push_back(take(waiting_.begin()->first));
  return all;
}

std::optional<TimePoint> Requests::next_deadline() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

}  // namespace clusterd::detail
