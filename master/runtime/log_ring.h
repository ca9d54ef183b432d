#pragma once

#include "common/log_line.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace clusterd::runtime {

/// Whose lines are wanted: of one kind, of one slot, or all.
struct LogFilter {
  std::optional<LogOrigin::Kind> kind{};
  std::optional<std::uint32_t> slot{};

  [[nodiscard]] bool fits(const LogOrigin& origin) const {
    return (!kind || *kind == origin.kind) && (!slot || *slot == origin.slot);
  }
};

/// The last lines of the log, in bounded room. Lines have numbers: 0 is the first that ever was.
/// Who says most makes room, so that the few lines of others are not lost in a flood of one's.
class LogRing {
 public:
  using Number = std::uint64_t;
  using When = std::chrono::system_clock::time_point;
  /// Lines from `first` on have gone, `count` of them, all of one origin.
  using Gone = std::function<void(Number first, std::uint64_t count, const LogOrigin& origin)>;

  explicit LogRing(std::size_t most = 256 * 1024, Gone gone = {})
      : most_(most), gone_(std::move(gone)) {}

  /// One or more whole lines, said at once. The word of the label has to last.
  void add(When when, const LogOrigin& origin, LogLabel label, std::string_view lines);

  /// The number of the next line.
  [[nodiscard]] Number end() const { return next_; }
  /// From where on there are `count` lines that fit, or all that there are.
  [[nodiscard]] Number last(std::uint64_t count, const LogFilter& filter) const;

  /// Gives the lines that fit from `from` on as JSON, each without a newline, until `take` says
  /// that it was enough. Returns where to go on.
  using Take = std::function<bool(std::string json)>;
  [[nodiscard]] Number read(Number from, const LogFilter& filter, const Take& take) const;

 private:
  struct Entry {
    Number first = 0;
    std::uint64_t count = 0;
    When when;
    LogOrigin origin;
    LogLabel label;
    std::string lines;
    std::size_t* held = nullptr;  ///< what its origin has in all
  };
  using Who = std::pair<LogOrigin::Kind, std::uint32_t>;

  void make_room();

  std::size_t most_;
  Gone gone_;
  std::list<Entry> entries_;
  std::map<Who, std::size_t> held_;
  std::size_t bytes_ = 0;
  Number next_ = 0;
};

}  // namespace clusterd::runtime
