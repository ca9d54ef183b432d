#include "master/runtime/reply.h"

#include "common/json.h"

#include <utility>

namespace clusterd::runtime {

void Reply::progress(std::string_view text) const {
  JsonWriter json;
  json.begin_object().member("progress", text).end_object();
  send(json.take(), false);
}

void Reply::line(std::string json) const { send(std::move(json), false); }

void Reply::finish(std::string json) const { send(std::move(json), true); }

void Reply::refuse(std::string_view why, int code) const {
  JsonWriter json;
  json.begin_object().member("ok", false).member("error", why);
  if (code != 0) json.member("code", code);
  send(json.end_object().take(), true);
}

void Reply::send(std::string line, bool last) const {
  // Ours for the call: the last line gives up the client's.
  if (const auto way = send_.lock()) (*way)(std::move(line), last);
}

}  // namespace clusterd::runtime
