#include "config/parse_worker.h"

#include "config/choices.h"
#include "config/defaults.h"
#include "config/env_file.h"
#include "config/known_programs.h"
#include "config/parse_program.h"
#include "config/parse_ready.h"

#include <algorithm>
#include <cstddef>

namespace clusterd::config {
namespace {

class WorkerReader {
 public:
  WorkerReader(const toml::table& table, const std::string& directory,
               const Surroundings& surroundings, Mistakes& mistakes)
      : reader_(table, "worker", mistakes),
        directory_(directory),
        surroundings_(surroundings),
        mistakes_(mistakes) {}

  [[nodiscard]] Worker read();

 private:
  void read_command();
  void read_env_files();
  void read_env_file(const toml::node& node);
  void read_env();
  void read_protocol();
  void read_policy();
  void read_recycle();
  void read_folder();
  void read_limits();
  [[nodiscard]] std::optional<std::uint64_t> read_bytes_limit(std::string_view key);
  [[nodiscard]] bool is_unlimited(std::string_view key) const;
  void read_affinity();
  [[nodiscard]] std::optional<unsigned> read_cpu(const toml::node& node);

  TomlReader reader_;
  const std::string& directory_;
  const Surroundings& surroundings_;
  Mistakes& mistakes_;
  Worker worker_;
};

Worker WorkerReader::read() {
  using Zero = TomlReader::Zero;
  reader_.check_keys();
  read_command();
  read_env_files();
  read_env();
  read_protocol();
  if (const auto name = reader_.string("stdin", "the name of a [[listen]]")) {
    worker_.stdin_listener = *name;
  }
  worker_.ready = read_ready(reader_, mistakes_);
  read_drain_signal(reader_, worker_.drain_signal);
  read_policy();
  reader_.duration("ready_timeout", Zero::refused, worker_.ready_timeout);
  reader_.duration("drain_timeout", Zero::allowed, worker_.drain_timeout);
  reader_.duration("kill_timeout", Zero::refused, worker_.kill_timeout);
  reader_.duration("stall_timeout", Zero::allowed, worker_.stall_timeout);
  reader_.duration("heartbeat_timeout", Zero::allowed, worker_.heartbeat_timeout);
  read_recycle();
  read_folder();
  read_limits();
  return std::move(worker_);
}

void WorkerReader::read_command() {
  if (reader_.find("command") == nullptr) {
    return reader_.blame(reader_.place(), "worker.command is missing");
  }
  std::optional<std::vector<std::string>> words = reader_.words("command");
  if (!words) return;
  if (words->empty()) return reader_.blame("command", "is empty: nothing to run");
  worker_.command = std::move(*words);
  worker_.program = read_program(reader_, "command", worker_.command[0], directory_, surroundings_);
}

void WorkerReader::read_env_files() {
  const toml::node* node = reader_.find("env_file");
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr) return read_env_file(*node);
  for (const toml::node& element : *array) read_env_file(element);
}

void WorkerReader::read_env_file(const toml::node& node) {
  constexpr std::string_view kWanted = "a path or an array of paths";
  const std::optional<std::string> path = reader_.string("env_file", node, kWanted);
  if (!path) return;
  if (path->empty()) return reader_.wrong("env_file", kWanted, node);
  worker_.env_files.push_back(resolved(directory_, *path));
  const Result<std::string> text =
      surroundings_.read_file(worker_.env_files.back(), kMostFileBytes);
  if (text.has_value()) return parse_env_file(escaped(*path), *text, worker_.env, mistakes_);
  reader_.blame(place_of(node.source()), "worker.env_file: " + in_quotes(*path, kMostPathBytes) +
                                             ": " + text.error().message());
}

void WorkerReader::read_env() {
  const toml::table* table = reader_.table("env");
  if (table == nullptr) return;
  TomlReader env(*table, "worker.env", mistakes_);
  for (const auto& [key, node] : *table) {
    const std::string name(key.str());
    if (const std::string why = why_not_variable(name); !why.empty()) {
      env.blame(place_of(key.source()), "worker.env: " + why);
    } else if (const std::optional<std::string> value = env.string(name, node)) {
      worker_.env.insert_or_assign(name, *value);
    }
  }
}

void WorkerReader::read_protocol() {
  worker_.protocol = protocol_of(worker_.command);
  if (worker_.protocol == Protocol::native && !worker_.program.empty()) {
    if (is_for_node(surroundings_.first_line(worker_.program))) worker_.protocol = Protocol::node;
  }
  const toml::node* node = reader_.find("protocol");
  if (node != nullptr && node->value<std::string_view>() != "auto") {
    reader_.choice<Protocol>("protocol", "protocol", kProtocols, worker_.protocol);
  }
  const std::string why = why_not_started(worker_.protocol, worker_.command);
  if (!why.empty()) reader_.blame("command", why);
}

void WorkerReader::read_policy() {
  if (reader_.find("policy") == nullptr) return;
  worker_.policy = Policy::round_robin;
  reader_.choice<Policy>("policy", "policy", kPolicies, *worker_.policy);
}

void WorkerReader::read_recycle() {
  const toml::table* table = reader_.table("recycle");
  if (table == nullptr) return;
  TomlReader recycle(*table, "worker.recycle", mistakes_);
  recycle.check_keys();
  recycle.integer("requests", {0, 1'000'000'000'000}, worker_.recycle.requests);
  recycle.duration("lifetime", TomlReader::Zero::allowed, worker_.recycle.lifetime);
  // Less is no program's: it was meant in another unit.
  constexpr std::uint64_t kLeastMemory = 1U << 20U;
  recycle.bytes("memory", kLeastMemory, worker_.recycle.memory_bytes);
  recycle.share("jitter", worker_.recycle.jitter);
}

void WorkerReader::read_folder() {
  worker_.cwd = directory_;
  const std::optional<std::string> path = reader_.path("cwd", directory_);
  if (!path) return;
  const std::string why = surroundings_.why_not_folder(*path);
  if (!why.empty()) reader_.blame("cwd", in_quotes(*path, kMostPathBytes) + ": " + why);
  worker_.cwd = *path;
}

void WorkerReader::read_limits() {
  reader_.integer("max_pending", {1, 1024}, worker_.max_pending);
  reader_.integer("max_connections", {0, 1'000'000}, worker_.max_connections);
  reader_.choice<Sched>("sched", "scheduling policy", kScheds, worker_.sched);
  worker_.umask = reader_.octal("umask");
  if (const auto nofile = reader_.integer("nofile", {64, 1'000'000'000})) {
    worker_.nofile = static_cast<std::uint64_t>(*nofile);
  }
  if (const auto nice = reader_.integer("nice", {-20, 19})) worker_.nice = static_cast<int>(*nice);
  if (is_unlimited("nproc")) {
    worker_.nproc = kUnlimited;
  } else if (const auto nproc =
                 reader_.integer("nproc", {1, 1'000'000'000}, R"("unlimited" or )")) {
    worker_.nproc = static_cast<std::uint64_t>(*nproc);
  }
  worker_.memlock = read_bytes_limit("memlock");
  worker_.core = read_bytes_limit("core");
  read_affinity();
}

bool WorkerReader::is_unlimited(std::string_view key) const {
  const toml::node* node = reader_.find(key);
  return node != nullptr && node->value<std::string_view>() == "unlimited";
}

std::optional<std::uint64_t> WorkerReader::read_bytes_limit(std::string_view key) {
  if (reader_.find(key) == nullptr) return std::nullopt;
  if (is_unlimited(key)) return kUnlimited;
  std::uint64_t bytes = 0;
  reader_.bytes(key, 0, bytes);
  return bytes;
}

void WorkerReader::read_affinity() {
  Affinity& affinity = worker_.affinity;
  const toml::node* node = reader_.find("affinity");
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    reader_.choice<Affinity::Kind>("affinity", "affinity", kAffinities, affinity.kind);
    if (affinity.kind == Affinity::Kind::slot) affinity.cpus = surroundings_.allowed_cpus;
    if (affinity.kind == Affinity::Kind::slot && affinity.cpus.empty()) {
      reader_.blame("affinity", "it is not known on which CPUs clusterd may run");
    }
    return;
  }
  affinity.kind = Affinity::Kind::list;
  if (array->empty()) reader_.blame("affinity", "is empty: no CPU to run on");
  for (const toml::node& element : *array) {
    if (const auto cpu = read_cpu(element)) affinity.cpus.push_back(*cpu);
  }
}

std::optional<unsigned> WorkerReader::read_cpu(const toml::node& node) {
  constexpr std::int64_t kMostCpus = 8192;
  const auto number = node.value_exact<std::int64_t>();
  if (!number || *number < 0 || *number >= kMostCpus) {
    reader_.wrong("affinity", R"("none", "slot" or an array of CPU numbers)", node);
    return std::nullopt;
  }
  const auto cpu = static_cast<unsigned>(*number);
  const auto& allowed = surroundings_.allowed_cpus;
  if (allowed.empty() || std::count(allowed.begin(), allowed.end(), cpu) > 0) return cpu;
  reader_.blame(place_of(node.source()), "affinity",
                "clusterd may not run on CPU " + std::to_string(cpu));
  return std::nullopt;
}

}  // namespace

Worker read_worker(TomlReader& top, const std::string& directory, const Surroundings& surroundings,
                   Mistakes& mistakes) {
  if (top.find("worker") == nullptr) {
    top.blame(Place{}, "[worker] is missing: nothing to run");
    return {};
  }
  const toml::table* table = top.table("worker");
  if (table == nullptr) return {};
  return WorkerReader(*table, directory, surroundings, mistakes).read();
}

}  // namespace clusterd::config
