#include "master/ctl/log_text.h"

#include "common/escaped.h"
#include "common/json.h"
#include "common/timestamp.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>

namespace clusterd::ctl {
namespace {

constexpr std::string_view kPlain = "\x1b[0m";
/// Cyan, yellow, magenta, blue, green, and the bright ones: slots side by side differ.
constexpr std::array<std::string_view, 10> kOfSlots{"\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[34m",
                                                    "\x1b[32m", "\x1b[96m", "\x1b[93m", "\x1b[95m",
                                                    "\x1b[94m", "\x1b[92m"};
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kBold = "\x1b[1m";

/// "2026-11-22T22:50:00.123Z" in the zone of who reads it.
std::string in_local_time(const std::string& utc) {
  std::tm time{};
  int milliseconds = 0;
  if (std::sscanf(utc.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &time.tm_year, &time.tm_mon,
                  &time.tm_mday, &time.tm_hour, &time.tm_min, &time.tm_sec, &milliseconds) != 7) {
    return escaped(utc);
  }
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  const auto seconds = std::chrono::system_clock::from_time_t(::timegm(&time));
  return local_time(seconds + std::chrono::milliseconds(milliseconds));
}

/// Tabs are as they were printed.
std::string shown(std::string_view text) {
  std::string result;
  for (;;) {
    const std::size_t tab = text.find('\t');
    result += escaped(text.substr(0, tab));
    if (tab == std::string_view::npos) return result;
    result += '\t';
    text.remove_prefix(tab + 1);
  }
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

}  // namespace

std::string log_text(std::string_view json, bool colour) {
  const auto line = check_json(json);
  if (!line) return "";
  if (const auto dropped = line->integer("dropped")) {
    return "(" + std::to_string(*dropped) + " lines were not read in time)";
  }
  const auto slot = line->integer("slot");
  const std::string level = line->string("level").value_or("");
  const std::string label = level.empty() ? line->string("stream").value_or("") : level;
  std::string who = line->string("from").value_or("");
  if (slot) who += '-' + std::to_string(*slot);
  if (const auto schedule = line->string("schedule")) who += '-' + *schedule;
  who += '[' + std::to_string(line->integer("pid").value_or(0)) + ']';
  std::string begin;
  if (colour && slot && *slot >= 0) {
    begin = kOfSlots[static_cast<std::size_t>(*slot) % kOfSlots.size()];
  } else if (colour) {
    begin = level == "error" ? kRed : kBold;
  }
  const std::string end(colour ? kPlain : "");
  return in_local_time(line->string("time").value_or("")) + ' ' + padded(escaped(label), 7) + ' ' +
         begin + escaped(who) + end + ' ' + shown(line->string("text").value_or(""));
}

}  // namespace clusterd::ctl
