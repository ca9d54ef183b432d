#include "common/log_line.h"

#include "common/json.h"
#include "common/timestamp.h"

namespace clusterd {
namespace {

const char* kind_of(const LogOrigin& origin) {
  switch (origin.kind) {
    case LogOrigin::Kind::master:
      return "master";
    case LogOrigin::Kind::agent:
      return "agent";
    case LogOrigin::Kind::program:
      return "program";
    case LogOrigin::Kind::schedule:
      return "schedule";
    case LogOrigin::Kind::worker:
      return "worker";
  }
  return "";
}

}  // namespace

std::string name_of(const LogOrigin& origin) {
  const std::string kind = kind_of(origin);
  if (origin.kind == LogOrigin::Kind::schedule) return kind + '-' + origin.name;
  return origin.kind == LogOrigin::Kind::worker ? kind + '-' + std::to_string(origin.slot) : kind;
}

std::string log_line_json(std::chrono::system_clock::time_point when, const LogOrigin& origin,
                          LogLabel label, std::string_view text) {
  JsonWriter json;
  json.begin_object().member("time", utc_time(when)).member("from", kind_of(origin));
  if (origin.kind == LogOrigin::Kind::worker) json.member("slot", origin.slot);
  if (origin.kind == LogOrigin::Kind::schedule) json.member("schedule", origin.name);
  json.member("pid", origin.pid).member(label.is_stream ? "stream" : "level", label.word);
  json.member("text", text).end_object();
  return json.take();
}

}  // namespace clusterd
