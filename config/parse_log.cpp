#include "config/parse_log.h"

#include "config/choices.h"

namespace clusterd::config {
namespace {

using Every = LogRules::Every;

constexpr std::uint64_t kLeastFile = std::uint64_t{64} << 10U;
constexpr std::uint64_t kLeastTotal = std::uint64_t{1} << 20U;

void read_rotate(TomlReader& reader, LogRules& rules) {
  const toml::node* node = reader.find("rotate");
  if (node == nullptr) return;
  const auto word = node->value<std::string_view>();
  if (word == "daily") {
    rules.every = Every::day;
  } else if (word == "hourly") {
    rules.every = Every::hour;
  } else if (const auto bytes = parse_bytes(word.value_or(""));
             bytes && *bytes >= kLeastFile && *bytes <= kMostBytes) {
    rules.every = Every::size;
    rules.size = *bytes;
  } else {
    reader.wrong("rotate", R"("daily", "hourly", or a size such as "100MiB", at least 64KiB)",
                 *node);
  }
}

}  // namespace

Log read_log(TomlReader& top, const Settings& settings, Mistakes& mistakes) {
  Log log;
  const toml::table* table = top.table("log");
  if (table == nullptr) return log;
  TomlReader reader(*table, "log", mistakes);
  reader.check_keys();
  reader.choice<LogLevel>("level", "log level", kLevels, log.level);
  reader.choice<LogFormat>("format", "log format", kLogFormats, log.format);
  if (const auto path = reader.path("file", settings.directory)) log.file = *path;
  reader.boolean("capture", log.capture);
  reader.boolean("frame", log.frame);
  read_rotate(reader, log.rules);
  reader.integer("keep", {0, 100'000}, log.rules.keep);
  reader.boolean("gzip", log.rules.gzip);
  reader.bytes("max_total", kLeastTotal, log.rules.max_total);
  if (log.rules.rotates() && table->get("file") == nullptr) {
    reader.blame("rotate", "there is nothing to rotate without log.file");
  }
  return log;
}

std::string rotate_text(const LogRules& rules) {
  switch (rules.every) {
    case Every::never:
      return "";
    case Every::day:
      return "daily";
    case Every::hour:
      return "hourly";
    case Every::size:
      break;
  }
  return bytes_text(rules.size);
}

}  // namespace clusterd::config
