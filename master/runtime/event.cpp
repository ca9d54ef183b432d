#include "master/runtime/event.h"

#include "common/json.h"
#include "common/timestamp.h"
#include "master/runtime/describe.h"

#include <string_view>

namespace clusterd::runtime {
namespace {

// A byte takes up to six in JSON, so these and the members without a bound stay below 64 KiB.
constexpr std::size_t kLongestText = 1024;
constexpr std::size_t kMostTexts = 4;
constexpr std::size_t kLongestLastWords = 4096;

void add_text(JsonWriter& json, std::string_view name, std::string_view text) {
  if (!text.empty()) json.member(name, text.substr(0, kLongestText));
}

/// What fits of the end, from the beginning of a character.
std::string_view end_of(std::string_view text) {
  if (text.size() <= kLongestLastWords) return text;
  text.remove_prefix(text.size() - kLongestLastWords);
  for (int rest = 3; rest > 0 && (text.front() & '\xc0') == '\x80'; --rest) text.remove_prefix(1);
  return text;
}

void add_process(JsonWriter& json, const Event& event) {
  if (!event.role.empty()) json.member("role", event.role);
  if (event.slot) json.member("slot", number_of(*event.slot));
  if (event.worker) json.member("worker", *event.worker);
  if (event.pid > 0) json.member("pid", static_cast<std::int64_t>(event.pid));
  if (event.generation) json.member("generation", number_of(*event.generation));
}

void add_end(JsonWriter& json, const Event& event) {
  if (event.code) json.member("code", *event.code);
  if (!event.signal.empty()) json.member("signal", event.signal);
  if (event.planned) json.member("planned", *event.planned);
  if (event.uptime) json.member("uptime_s", seconds(*event.uptime));
}

}  // namespace

std::string to_json(const Event& event, std::uint64_t seq,
                    std::chrono::system_clock::time_point time) {
  JsonWriter json;
  json.begin_object().member("seq", seq).member("time", utc_time(time));
  json.member("event", event.name);
  add_process(json, event);
  add_end(json, event);
  for (const auto& [name, number] : event.numbers) json.member(name, number);
  for (std::size_t at = 0; at < event.texts.size() && at < kMostTexts; ++at) {
    add_text(json, event.texts[at].first, event.texts[at].second);
  }
  add_text(json, "reason", event.reason);
  if (!event.last_words.empty()) json.member("stderr", end_of(event.last_words));
  json.end_object();
  return json.take();
}

}  // namespace clusterd::runtime
