// Any text in any pieces: the lines are those of the whole text, and the rest is measured right.
// An input is the longest line, and then pieces, each with its length before it.
#include "common/line_reader.h"
#include "tests/fuzz/fuzz.h"

#include <string>
#include <vector>

namespace clusterd::fuzz {
namespace {

void read_lines(LineReader& reader, std::vector<std::string>& lines) {
  while (const auto line = reader.next()) lines.emplace_back(*line);
}

struct Cut {
  std::vector<std::string> lines;
  std::string rest;
};

Cut cut_by_hand(const std::string& text) {
  Cut cut;
  for (const char c : text) {
    if (c != '\n') {
      cut.rest += c;
      continue;
    }
    if (!cut.rest.empty() && cut.rest.back() == '\r') cut.rest.pop_back();
    cut.lines.push_back(std::move(cut.rest));
    cut.rest.clear();
  }
  return cut;
}

}  // namespace

void try_input(std::string_view input) {
  Decisions decisions(input);
  const std::size_t longest = decisions.pick(64);
  LineReader reader(longest);
  std::string text;
  std::vector<std::string> lines;
  while (!decisions.none_left()) {
    const std::string_view piece = decisions.take(decisions.pick(32));
    text += piece;
    reader.add(piece);
    read_lines(reader, lines);
    must(reader.too_long() == (cut_by_hand(text).rest.size() > longest), "the rest is measured");
  }
  must(lines == cut_by_hand(text).lines, "pieces have the lines of the whole");

  LineReader at_once(longest);
  at_once.add(text);
  std::vector<std::string> same;
  read_lines(at_once, same);
  must(same == lines, "the whole has the same lines at once");
}

}  // namespace clusterd::fuzz
