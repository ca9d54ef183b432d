#include "master/runtime/status_self.h"

#include "common/log.h"
#include "master/runtime/describe.h"
#include "master/runtime/readiness.h"

#include <algorithm>

namespace clusterd::runtime {

void write_readiness(JsonWriter& json, const core::Cluster& cluster, TimePoint now) {
  const core::ClusterState state = cluster.state();
  json.member("accepting_ready", readiness(cluster).ready).key("stops_in_s");
  if (state == core::ClusterState::delaying) {
    json.value(std::max(0.0, seconds(cluster.stops_at() - now)));
  } else {
    json.null();
  }
}

void write_messages(JsonWriter& json, const Messenger::Carried& messages) {
  json.key("messages")
      .begin_object()
      .member("queued", messages.queued)
      .member("undelivered", messages.undelivered)
      .member("waiting_bytes", messages.waiting_bytes)
      .end_object();
}

void write_log(JsonWriter& json, const std::string& error) {
  json.key("log").begin_object().member("dropped", log::dropped());
  if (!error.empty()) json.member("error", error);
  json.end_object();
}

}  // namespace clusterd::runtime
