#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::config {

/// A place in a worker's command or variables that is filled in when it is started: {slot},
/// {worker}, {fd:NAME}, {address:NAME} or {port:NAME}, where NAME is a [[listen]]'s.
struct Template {
  enum class Kind : std::uint8_t { slot, worker, fd, address, port };
  Kind kind{};
  std::string_view listener;  ///< empty of the first two
  std::size_t begin = 0;      ///< of the brace, in the text
  std::size_t size = 0;
};

/// All in `text`, in order. Whatever else is in braces is text: variables may hold JSON.
[[nodiscard]] std::vector<Template> find_templates(std::string_view text);

/// `text` with a value in the place of each.
[[nodiscard]] std::string filled_in(std::string_view text,
                                    const std::function<std::string(const Template&)>& value);

}  // namespace clusterd::config
