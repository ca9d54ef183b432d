#include "common/log_orders.h"

#include "common/run_lines.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

namespace clusterd::protocol {
namespace {

using Every = LogRules::Every;

constexpr std::pair<Every, const char*> kWords[] = {
    {Every::day, "day"}, {Every::hour, "hour"}, {Every::size, "size"}};

std::uint64_t unsigned_member(const CheckedJson& json, std::string_view name) {
  const std::int64_t number = json.integer(name).value_or(0);
  return number < 0 ? 0 : static_cast<std::uint64_t>(number);
}

}  // namespace

std::optional<WriteLog> read_write_log(const CheckedJson& json) {
  WriteLog order;
  const auto fds = json.integer("fds");
  auto path = json.string("path");
  const auto every = json.string("every");
  if (!fds || !path || !every) return std::nullopt;
  order.fds = *fds;
  order.path = std::move(*path);
  for (const auto& [value, word] : kWords) {
    if (*every == word) order.rules.every = value;
  }
  if (!order.rules.rotates()) return std::nullopt;
  order.rules.size = unsigned_member(json, "size");
  order.rules.keep = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      unsigned_member(json, "keep"), std::numeric_limits<std::uint32_t>::max()));
  order.rules.gzip = json.boolean("gzip").value_or(false);
  order.rules.max_total = unsigned_member(json, "max_total");
  order.must = json.boolean("must").value_or(false);
  return order;
}

LogWritten read_log_written(const CheckedJson& json) {
  return {reason_of(json.string("error").value_or("")),
          json.boolean("period_over").value_or(false)};
}

void write_members(JsonWriter& json, const WriteLog& order) {
  const LogRules& rules = order.rules;
  json.member("fds", order.fds).member("path", order.path);
  for (const auto& [value, word] : kWords) {
    if (rules.every == value) json.member("every", word);
  }
  json.member("size", rules.size)
      .member("keep", rules.keep)
      .member("gzip", rules.gzip)
      .member("max_total", rules.max_total)
      .member("must", order.must);
}

void write_members(JsonWriter& json, const LogWritten& said) {
  json.member("error", said.error).member("period_over", said.period_over);
}

}  // namespace clusterd::protocol
