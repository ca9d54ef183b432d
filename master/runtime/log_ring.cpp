#include "master/runtime/log_ring.h"

#include <algorithm>
#include <iterator>

namespace clusterd::runtime {
namespace {

/// What an entry takes beside its lines, so that many short ones are bounded too.
constexpr std::size_t kOfEntry = 128;

std::size_t size_of(std::string_view lines) { return lines.size() + kOfEntry; }

/// The line at the beginning, without its newline, which is taken off with it.
std::string_view take_line(std::string_view& lines) {
  const std::size_t end = std::min(lines.find('\n'), lines.size());
  const std::string_view line = lines.substr(0, end);
  lines.remove_prefix(std::min(end + 1, lines.size()));
  return line;
}

}  // namespace

void LogRing::add(When when, const LogOrigin& origin, LogLabel label, std::string_view lines) {
  const auto count = static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
  if (count == 0) return;
  std::size_t& held = held_[{origin.kind, origin.slot}];
  entries_.push_back({next_, count, when, origin, label, std::string(lines), &held});
  next_ += count;
  held += size_of(lines);
  bytes_ += size_of(lines);
  make_room();
}

/// What was said last is there in any case: of one who says much, as much as is said at once.
void LogRing::make_room() {
  while (bytes_ > most_ && entries_.size() > 1) {
    const auto newest = std::prev(entries_.end());
    const auto victim = std::max_element(
        entries_.begin(), newest, [](const Entry& a, const Entry& b) { return *a.held < *b.held; });
    const std::size_t size = size_of(victim->lines);
    *victim->held -= size;
    bytes_ -= size;
    if (gone_) gone_(victim->first, victim->count, victim->origin);
    entries_.erase(victim);
  }
}

LogRing::Number LogRing::last(std::uint64_t count, const LogFilter& filter) const {
  Number from = next_;
  for (auto entry = entries_.rbegin(); entry != entries_.rend() && count > 0; ++entry) {
    if (!filter.fits(entry->origin)) continue;
    const std::uint64_t some = std::min(count, entry->count);
    from = entry->first + entry->count - some;
    count -= some;
  }
  return from;
}

LogRing::Number LogRing::read(Number from, const LogFilter& filter, const Take& take) const {
  const auto begin = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.first + entry.count > from;
  });
  for (auto entry = begin; entry != entries_.end(); ++entry) {
    if (!filter.fits(entry->origin)) continue;
    std::string_view rest = entry->lines;
    for (Number number = entry->first; number < entry->first + entry->count; ++number) {
      const std::string_view line = take_line(rest);
      if (number < from) continue;
      if (!take(log_line_json(entry->when, entry->origin, entry->label, line))) return number + 1;
    }
  }
  return next_;
}

}  // namespace clusterd::runtime
