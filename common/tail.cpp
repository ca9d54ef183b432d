#include "common/tail.h"

#include "common/json.h"

#include <algorithm>

namespace clusterd {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (first == '\n' || first == '\t') return false;
  // U+0080 to U+009F are control characters as well, and one of them begins an escape sequence.
  return first < 0x20 || first == 0x7F ||
         (first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0);
}

/// How long the sequence is that begins with ESC: "ESC [ 1 ; 31 m" is 7. Of others, ESC alone.
std::size_t escape_length(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 1;
  std::size_t at = 2;
  while (at < text.size() && text[at] >= 0x20 && text[at] < 0x40) ++at;
  const bool whole = at < text.size() && text[at] >= 0x40 && text[at] < 0x7F;
  return whole ? at + 1 : at;
}

std::string printable(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const Utf8Sequence sequence = scan_utf8(bytes);
    std::size_t length = sequence.whole ? sequence.length : 1;
    if (!sequence.whole) {
      text += kReplacement;
    } else if (bytes[0] == '\x1b') {
      length = escape_length(bytes);
    } else if (!is_control(bytes)) {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length);
  }
  return text;
}

/// The last `most` bytes, from a line's beginning on if there is one among them, and else from a
/// character's.
std::string_view last_lines(std::string_view text, std::size_t most, bool cut) {
  const std::size_t from = text.size() - std::min(text.size(), most);
  if (from == 0 && !cut) return text;
  // The newline before it counts too: then a line begins exactly there.
  const std::size_t newline = text.find('\n', from == 0 ? 0 : from - 1);
  if (newline != std::string_view::npos) return text.substr(newline + 1);
  std::size_t start = from;
  while (start < text.size() && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) ++start;
  return text.substr(start);
}

}  // namespace

void Tail::add(std::string_view bytes) {
  // Two more than is asked for: a newline at the end does not count, and the byte before the rest
  // tells whether a line begins there.
  const std::size_t keep = most_ + 2;
  if (bytes.size() > keep) {
    cut_ = true;
    kept_.assign(bytes.substr(bytes.size() - keep));
    return;
  }
  kept_.append(bytes);
  if (kept_.size() <= 2 * keep) return;
  kept_.erase(0, kept_.size() - keep);
  cut_ = true;
}

std::string Tail::text() const {
  std::string_view whole = kept_;
  whole = whole.substr(0, whole.find_last_not_of('\n') + 1);
  const std::string text = printable(last_lines(whole, most_, cut_));
  return std::string(last_lines(text, most_, false));  // U+FFFD is longer than what it stands for
}

}  // namespace clusterd
