#pragma once

#include "common/notices.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::runtime {

/// What became of a child's messages and it has not been told yet, summed up: however much that is,
/// it is few lines.
class Untold {
 public:
  /// `request` is the message's number, 0 if it wanted no answer.
  void undelivered(std::string_view action, std::int64_t count, std::int64_t request);
  void gone(std::int64_t request);
  void pressure(std::int64_t pid, bool high);

  [[nodiscard]] bool empty() const {
    return undelivered_.count == 0 && gone_.requests.empty() && pressures_.empty();
  }
  /// The lines that tell it all.
  [[nodiscard]] std::string take();

 private:
  protocol::Undelivered undelivered_;
  protocol::Gone gone_;
  std::vector<protocol::Pressure> pressures_;
};

}  // namespace clusterd::runtime
