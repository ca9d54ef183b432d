#include "common/notify.h"

#include "common/json.h"

#include <charconv>

namespace clusterd::notify {
namespace {

/// Characters that a terminal or a log takes for orders, not for text: controls, and those that
/// turn the direction of writing or end a line.
bool is_order(std::string_view character) {
  const auto at = [&](std::size_t index) { return static_cast<unsigned char>(character[index]); };
  if (character.size() == 1) return at(0) < 0x20 || at(0) == 0x7f;
  if (character.size() == 2) return at(0) == 0xc2 && at(1) < 0xa0;
  if (character.size() != 3 || at(0) != 0xe2) return false;
  if (at(1) == 0x80) return (at(2) >= 0x8e && at(2) <= 0x8f) || (at(2) >= 0xa8 && at(2) <= 0xae);
  return at(1) == 0x81 && at(2) >= 0xa6 && at(2) <= 0xa9;
}

std::string printable(std::string_view text) {
  std::string result;
  for (std::size_t count = 0; count < kLongestStatus && !text.empty(); ++count) {
    const Utf8Sequence next = scan_utf8(text);
    const std::size_t length = next.length > 0 ? next.length : 1;
    const std::string_view character = text.substr(0, length);
    text.remove_prefix(length);
    if (!next.whole || is_order(character)) {
      result += '?';
    } else {
      result += character;
    }
  }
  return result;
}

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

void read_line(std::string_view line, Said& said) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return;
  const std::string_view key = line.substr(0, equals);
  const std::string_view value = line.substr(equals + 1);
  if (key == "READY") {
    said.ready = value == "1";
  } else if (key == "STOPPING") {
    said.stopping = value == "1";
  } else if (key == "WATCHDOG") {
    said.watchdog = value == "1";
    said.watchdog_trigger = value == "trigger";
  } else if (key == "BARRIER") {
    said.barrier = value == "1";
  } else if (key == "STATUS") {
    said.status = printable(value);
  } else if (key == "EXTEND_TIMEOUT_USEC") {
    said.extend_timeout_usec = to_number(value);
  }
}

}  // namespace

Said parse(std::string_view datagram) {
  Said said;
  if (datagram.size() > kLongest) return said;
  while (!datagram.empty()) {
    const std::string_view line = datagram.substr(0, datagram.find('\n'));
    datagram.remove_prefix(line.size() < datagram.size() ? line.size() + 1 : line.size());
    read_line(line, said);
  }
  return said;
}

}  // namespace clusterd::notify
