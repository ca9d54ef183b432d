#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace clusterd::agent {

/// How the cluster is, as the master says.
struct View {
  bool ready = false;
  std::string reason;                          ///< of `ready`
  std::shared_ptr<const std::string> metrics;  ///< nullptr: not asked for, or not to be had
};

enum class Endpoint : std::uint8_t { none, health, ready, metrics };

/// What the target of a request names, with or without a query.
[[nodiscard]] Endpoint endpoint_of(std::string_view target);

struct Answer {
  unsigned status = 200;
  std::string_view type;
  std::shared_ptr<const std::string> body;
};

/// A line of text.
[[nodiscard]] Answer plain(unsigned status, std::string text);

/// `view` is empty if the master has not answered in time.
[[nodiscard]] Answer answer_to(Endpoint endpoint, const std::optional<View>& view);

}  // namespace clusterd::agent
