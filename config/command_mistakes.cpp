#include "config/command_mistakes.h"

#include "config/command_number.h"
#include "config/settings.h"
#include "config/words.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string_view>

namespace clusterd::config {
namespace {

static_assert(kMostWorkers == 1024);
constexpr std::string_view kWantedNumber = "N, +N or -N, with N from 1 to 1024";
constexpr std::string_view kWantedSlot = "SLOT, a number from 0 to 1023";

bool is_slot(const std::optional<Number>& number) {
  constexpr int kMost = kMostWorkers;
  return number && !number->has_sign && number->value >= 0 && number->value < kMost;
}

bool is_size(const std::optional<Number>& number) {
  constexpr int kMost = kMostWorkers;
  return number && number->value != 0 && std::abs(number->value) <= kMost;
}

}  // namespace

std::string mistake_in_number(const std::string& word, NumberOf what) {
  const bool by_slot = what == NumberOf::slot;
  std::string wanted = "expected " + std::string(by_slot ? kWantedSlot : kWantedNumber);
  if (word.empty()) return wanted;
  const auto number = parse_number(word);
  const bool fits = by_slot ? is_slot(number) : is_size(number);
  return fits ? "" : wanted + ", got " + in_quotes(word);
}

std::string mistake_in(const LogsCommand& logs) {
  const bool one = logs.target.file.empty() != logs.target.socket.empty();
  if (!one) return "expected either FILE or --socket PATH";
  const std::string& who = logs.who;
  constexpr std::string_view kOthers[] = {"master", "agent", "program", "schedule"};
  const bool known = std::find(std::begin(kOthers), std::end(kOthers), who) != std::end(kOthers);
  if (who.empty() || known || is_slot(parse_number(who))) return "";
  return "expected " + std::string(kWantedSlot) +
         R"(, "master", "agent", "program" or "schedule", got )" + in_quotes(who);
}

}  // namespace clusterd::config
