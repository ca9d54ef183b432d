#include "master/ctl/table.h"

#include <algorithm>

namespace clusterd::ctl {
namespace {

/// Characters on the screen: bytes that do not continue a UTF-8 sequence.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string pad(const std::string& text, std::size_t to, Table::Align align) {
  const std::string blanks(to - std::min(to, width(text)), ' ');
  return align == Table::Align::right ? blanks + text : text + blanks;
}

void end_line(std::string& out) {
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
}

}  // namespace

std::string Table::text(bool colour) const {
  std::vector<std::size_t> widths;
  for (std::size_t at = 0; at < columns_.size(); ++at) {
    std::size_t widest = width(columns_[at].title);
    for (const auto& row : rows_) widest = std::max(widest, width(row[at]));
    widths.push_back(widest);
  }
  std::string head;
  for (std::size_t at = 0; at < columns_.size(); ++at) {
    head += (at > 0 ? "  " : "") + pad(columns_[at].title, widths[at], columns_[at].align);
  }
  head.erase(head.find_last_not_of(' ') + 1);
  std::string out = colour ? "\x1b[1m" + head + "\x1b[0m\n" : head + "\n";
  for (const auto& row : rows_) {
    for (std::size_t at = 0; at < columns_.size(); ++at) {
      out += (at > 0 ? "  " : "") + pad(row[at], widths[at], columns_[at].align);
    }
    end_line(out);
  }
  return out;
}

}  // namespace clusterd::ctl
