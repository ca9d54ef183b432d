#include "config/parse_ready.h"

#include "config/choices.h"

namespace clusterd::config {
namespace {

/// The path of a request: nothing in it that could end the line that it stands in.
bool is_request_path(const std::string& path) {
  if (!path.starts_with('/') || path.size() > 1024) return false;
  for (const char c : path) {
    if (c <= ' ' || c > '~') return false;
  }
  return true;
}

}  // namespace

Ready read_ready(TomlReader& worker, Mistakes& mistakes) {
  constexpr std::string_view kKey = "ready";
  Ready ready;
  const toml::node* node = worker.find(kKey);
  if (node == nullptr) return ready;
  const toml::table* table = node->as_table();
  if (table == nullptr) {
    if (node->is_string()) {
      worker.choice<Ready::When>(kKey, "way to be ready", kReadyWays, ready.when);
    } else {
      worker.wrong(kKey, R"("auto", "listening", "message", "notify", "none" or a table)", *node);
    }
    return ready;
  }
  TomlReader reader(*table, "worker.ready", mistakes);
  reader.check_keys();
  ready.when = Ready::When::probed;
  reader.duration("alive", TomlReader::Zero::allowed, ready.alive);
  reader.boolean("tcp", ready.tcp);
  if (const auto path = reader.string("http", "a path such as \"/healthz\"")) {
    if (is_request_path(*path)) {
      ready.http = *path;
    } else {
      reader.wrong("http", "a path such as \"/healthz\"", *reader.find("http"));
    }
  }
  if (const auto name = reader.string("listener", "the name of a [[listen]]")) {
    ready.probe = *name;
    if (ready.http.empty() && !ready.tcp && reader.find("http") == nullptr) {
      reader.blame("listener", "is only for http or tcp, and neither is asked for");
    }
  }
  return ready;
}

std::string ready_text(const Ready& ready) {
  for (const auto& [text, when] : kReadyWays) {
    if (ready.when == when) return std::string(text);
  }
  std::string all = "{ alive = " + as_toml(duration_text(ready.alive));
  if (ready.tcp) all += ", tcp = true";
  if (!ready.http.empty()) all += ", http = " + as_toml(ready.http);
  if (!ready.probe.empty()) all += ", listener = " + as_toml(ready.probe);
  return all + " }";
}

void read_drain_signal(TomlReader& worker, int& number) {
  worker.choice<int>("drain_signal", "signal", kDrainSignals, number);
}

}  // namespace clusterd::config
