#include "config/command_send.h"

#include "config/command_number.h"
#include "config/quantity.h"
#include "config/words.h"

#include <chrono>
#include <string_view>
#include <utility>

namespace clusterd::config {
namespace {

using Kind = Recipient::Kind;

constexpr std::string_view kWanted =
    R"("all", "app", "agent", "random", a slot's number, or pid:NUMBER)";
constexpr std::string_view kPid = "pid:";
constexpr std::pair<std::string_view, Kind> kNames[] = {
    {"all", Kind::all}, {"app", Kind::app}, {"agent", Kind::agent}, {"random", Kind::random}};

}  // namespace

std::optional<Recipient> parse_recipient(const std::string& word) {
  for (const auto& [name, kind] : kNames) {
    if (word == name) return Recipient{kind, 0};
  }
  const bool is_pid = word.starts_with(kPid);
  const auto number = parse_number(std::string_view(word).substr(is_pid ? kPid.size() : 0));
  if (!number || number->has_sign || (is_pid && number->value == 0)) return std::nullopt;
  return Recipient{is_pid ? Kind::pid : Kind::slot, number->value};
}

std::string settle(SendWords& words, const std::string& socket, std::string& file) {
  if (socket.empty() && file.empty()) file = std::exchange(words.json, "");
  if (words.action.empty()) return "ACTION is missing";
  const auto to = parse_recipient(words.to);
  if (!to) return "--to: expected " + std::string(kWanted) + ", got " + in_quotes(words.to);
  if (words.wait.empty()) return "";
  const auto wait = parse_duration(words.wait);
  if (!wait || *wait <= Duration::zero() || *wait > kLongest) {
    return "--wait: expected a time such as 5s, got " + in_quotes(words.wait);
  }
  const bool several = to->kind == Kind::all || to->kind == Kind::app;
  return several ? "--wait is for one receiver; --to says which" : "";
}

Recipient recipient_of(const SendWords& words) {
  return parse_recipient(words.to).value_or(Recipient{});
}

std::optional<std::int64_t> timeout_ms_of(const SendWords& words) {
  const auto wait = parse_duration(words.wait);
  if (words.wait.empty() || !wait) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(*wait).count();
}

}  // namespace clusterd::config
