#include "master/runtime/event_log.h"

namespace clusterd::runtime {
namespace {

constexpr std::size_t kMostEvents = 1000;
/// Less than a client may leave unread (Channel): all of it can wait for one that asks.
constexpr std::size_t kMostBytes = 768 * 1024;
/// Fewer than may wait at the control socket, so that they keep no other verb out.
constexpr std::size_t kMostFollowers = 6;

}  // namespace

void EventLog::record(const Event& event, bool keep) {
  const std::string line = to_json(event, next_seq_++, std::chrono::system_clock::now());
  if (keep) {
    lines_.push_back(line);
    bytes_ += line.size();
  }
  while (lines_.size() > kMostEvents || bytes_ > kMostBytes) {
    bytes_ -= lines_.front().size();
    lines_.pop_front();
  }
  for (const Reply& follower : followers_) follower.line(line);
  std::erase_if(followers_, [](const Reply& follower) { return follower.gone(); });
  recorded_(event.name, line);
}

void EventLog::answer(bool follow, const Reply& reply) {
  std::erase_if(followers_, [](const Reply& follower) { return follower.gone(); });
  if (follow && followers_.size() >= kMostFollowers) {
    return reply.refuse(std::to_string(followers_.size()) + " clients follow the events already");
  }
  for (const std::string& line : lines_) reply.line(line);
  if (!follow) return reply.finish("{\"ok\":true}");
  followers_.push_back(reply);
}

}  // namespace clusterd::runtime
