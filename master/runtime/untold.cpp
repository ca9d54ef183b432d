#include "master/runtime/untold.h"

#include <algorithm>
#include <utility>

namespace clusterd::runtime {
namespace {

/// A line has room for so many numbers. Who asks has a timeout for what is not listed.
constexpr std::size_t kMostListed = 1024;
/// Of receivers that are slow; the state of one is told at its next change.
constexpr std::size_t kMostPressures = 1024;

}  // namespace

void Untold::undelivered(std::string_view action, std::int64_t count, std::int64_t request) {
  if (undelivered_.count == 0) {
    undelivered_.action = action;
  } else if (undelivered_.action != action) {
    undelivered_.action.clear();
  }
  undelivered_.count += count;
  if (request == 0 || undelivered_.requests.size() == kMostListed) return;
  undelivered_.requests.push_back(request);
}

void Untold::gone(std::int64_t request) {
  if (gone_.requests.size() < kMostListed) gone_.requests.push_back(request);
}

void Untold::pressure(std::int64_t pid, bool high) {
  const auto same = [pid](const protocol::Pressure& known) { return known.pid == pid; };
  const auto found = std::find_if(pressures_.begin(), pressures_.end(), same);
  if (found != pressures_.end()) {
    // What it was told last is true again: it hears each high and each low, in turn, or neither.
    if (found->high != high) pressures_.erase(found);
  } else if (pressures_.size() < kMostPressures) {
    pressures_.push_back({pid, high});
  }
}

std::string Untold::take() {
  std::string lines;
  if (undelivered_.count > 0) lines += encode(std::exchange(undelivered_, {}));
  if (!gone_.requests.empty()) lines += encode(std::exchange(gone_, {}));
  for (const protocol::Pressure& one : std::exchange(pressures_, {})) lines += encode(one);
  return lines;
}

}  // namespace clusterd::runtime
