#include "config/cron.h"

#include "config/words.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace clusterd::config {
namespace {

constexpr std::size_t kLongest = 256;

/// What one field may hold. A name is worth `low` and its place in `names`.
struct Field {
  std::string_view name;
  unsigned low = 0;
  unsigned high = 0;
  std::string_view names;  ///< three letters each
  std::uint64_t Cron::* set = nullptr;
};

constexpr std::array<Field, 6> kFields{{
    {"seconds", 0, 59, "", &Cron::seconds},
    {"minutes", 0, 59, "", &Cron::minutes},
    {"hours", 0, 23, "", &Cron::hours},
    {"days", 1, 31, "", &Cron::days},
    {"months", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", &Cron::months},
    {"weekdays", 0, 7, "sunmontuewedthufrisat", &Cron::weekdays},
}};

constexpr std::pair<std::string_view, std::string_view> kShort[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

constexpr std::uint64_t bit(unsigned number) { return std::uint64_t{1} << number; }

/// A part of the text, and where in it that begins.
struct Piece {
  std::string_view text;
  std::size_t at = 0;
};

/// The pieces between the characters that `ends` says are none; empty ones too.
std::vector<Piece> split(const Piece& piece, char separator) {
  std::vector<Piece> pieces;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = std::min(piece.text.find(separator, begin), piece.text.size());
    pieces.push_back({piece.text.substr(begin, end - begin), piece.at + begin});
    if (end == piece.text.size()) return pieces;
    begin = end + 1;
  }
}

/// Between blanks, of which there may be several.
std::vector<Piece> fields_of(std::string_view text) {
  std::vector<Piece> fields;
  std::size_t at = 0;
  for (;;) {
    at = text.find_first_not_of(" \t", at);
    if (at == std::string_view::npos) return fields;
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    fields.push_back({text.substr(at, end - at), at});
    at = end;
  }
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

class CronParser {
 public:
  std::variant<Cron, CronMistake> run(std::string_view text) {
    if (text.size() > kLongest) {
      fail({text, kLongest}, "more than " + std::to_string(kLongest) + " bytes");
    } else if (text.starts_with('@')) {
      read_short(text);
    } else {
      read_fields(text);
    }
    if (mistake_) return std::move(*mistake_);
    return cron_;
  }

 private:
  void fail(const Piece& piece, std::string what) {
    if (!mistake_) mistake_ = CronMistake{piece.at + 1, std::move(what)};
  }

  void fail(const Field& field, const Piece& piece, const std::string& what) {
    fail(piece, std::string(field.name) + ": " + what);
  }

  void read_short(std::string_view text) {
    for (const auto& [name, meaning] : kShort) {
      if (text == name) return read_fields(meaning);
    }
    if (text == "@reboot") return fail({text, 0}, "for once at the start, set immediate = true");
    std::vector<std::string_view> names;
    for (const auto& entry : kShort) names.push_back(entry.first);
    fail({text, 0}, "expected " + listed(names) + ", got " + in_quotes(text));
  }

  void read_fields(std::string_view text) {
    const std::vector<Piece> fields = fields_of(text);
    if (fields.size() != 5 && fields.size() != 6) {
      const Piece at = fields.size() > 6 ? fields[6] : Piece{text, text.size()};
      return fail(at,
                  "expected 5 fields (minutes, hours, days, months, weekdays), or 6 with "
                  "seconds first; got " +
                      std::to_string(fields.size()));
    }
    std::size_t number = 6 - fields.size();
    for (const Piece& piece : fields) read_field(kFields.at(number++), piece);
    cron_.any_day = fields[fields.size() - 3].text.starts_with('*');
    cron_.any_weekday = fields.back().text.starts_with('*');
    if (cron_.weekdays & bit(7)) cron_.weekdays |= bit(0);
    cron_.weekdays &= ~bit(7);
    if (!mistake_ && !can_be()) {
      fail(fields[fields.size() - 3], "days: no month that is named has such a day");
    }
  }

  void read_field(const Field& field, const Piece& piece) {
    std::uint64_t set = 0;
    for (const Piece& part : split(piece, ',')) set |= read_part(field, part);
    cron_.*field.set = set;
  }

  /// "*", "5", "1-5", "*/10", "1-5/2"
  std::uint64_t read_part(const Field& field, const Piece& part) {
    const std::vector<Piece> halves = split(part, '/');
    const Piece& range = halves.front();
    unsigned low = field.low;
    unsigned high = field.high;
    const bool is_range = range.text == "*" || range.text.find('-') != std::string_view::npos;
    if (range.text != "*") {
      const std::vector<Piece> ends = split(range, '-');
      if (ends.size() > 2) {
        fail(field, range, "expected a number or a range, got " + in_quotes(range.text));
        return 0;
      }
      low = read_number(field, ends.front());
      high = read_number(field, ends.back());
      // 5-7 is Friday to Sunday, and so is fri-sun.
      if (field.high == 7 && ends.size() == 2 && high == 0 && low > 0) high = 7;
      if (low > high) fail(field, range, in_quotes(range.text) + " ends before it begins");
    } else if (field.high == 7) {
      high = 6;
    }
    unsigned step = 1;
    if (halves.size() > 1) step = read_step(field, part, halves, is_range);
    std::uint64_t set = 0;
    for (unsigned number = low; number <= high && !mistake_; number += step) set |= bit(number);
    return set;
  }

  unsigned read_step(const Field& field, const Piece& part, const std::vector<Piece>& halves,
                     bool is_range) {
    if (halves.size() > 2) {
      fail(field, halves[2], "a second step in " + in_quotes(part.text));
    } else if (!is_range) {
      fail(field, part, "a step goes with * or a range, as in \"*/10\"");
    }
    const unsigned most = field.high - field.low;
    const std::optional<unsigned> step = digits(halves[1].text);
    if (step && *step >= 1 && *step <= most) return *step;
    fail(
        field, halves[1],
        "expected a step from 1 to " + std::to_string(most) + ", got " + in_quotes(halves[1].text));
    return 1;
  }

  unsigned read_number(const Field& field, const Piece& piece) {
    const std::optional<unsigned> number = digits(piece.text);
    if (number && *number >= field.low && *number <= field.high) return *number;
    if (const auto named = by_name(field, piece.text)) return *named;
    std::string wanted = std::to_string(field.low) + " to " + std::to_string(field.high);
    if (!field.names.empty()) {
      wanted += " or " + std::string(field.names.substr(0, 3)) + " to " +
                std::string(field.names.substr(field.names.size() - 3));
    }
    fail(field, piece, "expected " + wanted + ", got " + in_quotes(piece.text));
    return field.low;
  }

  static std::optional<unsigned> digits(std::string_view text) {
    unsigned number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, status] = std::from_chars(text.data(), end, number);
    if (text.size() > 2 || status != std::errc() || stop != end) return std::nullopt;
    return number;
  }

  static std::optional<unsigned> by_name(const Field& field, std::string_view text) {
    if (text.size() != 3) return std::nullopt;
    const std::string name{lower(text[0]), lower(text[1]), lower(text[2])};
    for (std::size_t at = 0; at < field.names.size(); at += 3) {
      if (field.names.substr(at, 3) == name) return field.low + static_cast<unsigned>(at / 3);
    }
    return std::nullopt;
  }

  /// There is no 30th of February.
  [[nodiscard]] bool can_be() const {
    if (cron_.any_day || !cron_.any_weekday) return true;
    constexpr std::uint64_t kShortOnes = bit(4) | bit(6) | bit(9) | bit(11);
    std::uint64_t longest = bit(30) - 2;  // up to the 29th
    if (cron_.months & ~bit(2)) longest |= bit(30);
    if (cron_.months & ~(bit(2) | kShortOnes)) longest |= bit(31);
    return (cron_.days & longest) != 0;
  }

  Cron cron_;
  std::optional<CronMistake> mistake_;
};

}  // namespace

std::variant<Cron, CronMistake> parse_cron(std::string_view text) { return CronParser().run(text); }

}  // namespace clusterd::config
