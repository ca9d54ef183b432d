#include "config/parse_worker.h"

#include "config/choices.h"
#include "config/known_programs.h"
#include "config/parse_ready.h"
#include "config/program_reader.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace clusterd::config {
namespace {

class WorkerReader {
 public:
  explicit WorkerReader(ProgramReader program)
      : program_(std::move(program)),
        reader_(program_.reader()),
        surroundings_(program_.surroundings()),
        worker_(program_.program()) {}

  [[nodiscard]] Worker read();

 private:
  void read_protocol();
  void read_policy();
  void read_recycle();
  void read_affinity();
  [[nodiscard]] std::optional<unsigned> read_cpu(const toml::node& node);

  ProgramReader program_;
  TomlReader& reader_;
  const Surroundings& surroundings_;
  Worker& worker_;
};

Worker WorkerReader::read() {
  using Zero = TomlReader::Zero;
  reader_.check_keys();
  if (reader_.find("command") != nullptr) {
    program_.read_command();
  } else {
    reader_.blame(reader_.place(), "worker.command is missing");
  }
  program_.read_environment();
  read_protocol();
  if (const auto name = reader_.string("stdin", "the name of a [[listen]]")) {
    worker_.stdin_listener = *name;
  }
  worker_.ready = read_ready(reader_, program_.mistakes());
  read_drain_signal(reader_, worker_.drain_signal);
  read_policy();
  reader_.duration("ready_timeout", Zero::refused, worker_.ready_timeout);
  reader_.duration("drain_timeout", Zero::allowed, worker_.drain_timeout);
  reader_.duration("kill_timeout", Zero::refused, worker_.kill_timeout);
  reader_.duration("stall_timeout", Zero::allowed, worker_.stall_timeout);
  reader_.duration("heartbeat_timeout", Zero::allowed, worker_.heartbeat_timeout);
  read_recycle();
  program_.read_folder();
  reader_.integer("max_pending", {1, 1024}, worker_.max_pending);
  reader_.integer("max_connections", {0, 1'000'000}, worker_.max_connections);
  program_.read_process();
  read_affinity();
  return std::move(worker_);
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
  TomlReader recycle(*table, "worker.recycle", program_.mistakes());
  recycle.check_keys();
  recycle.integer("requests", {0, 1'000'000'000'000}, worker_.recycle.requests);
  recycle.duration("lifetime", TomlReader::Zero::allowed, worker_.recycle.lifetime);
  // Less is no program's: it was meant in another unit.
  constexpr std::uint64_t kLeastMemory = 1U << 20U;
  recycle.bytes("memory", kLeastMemory, worker_.recycle.memory_bytes);
  recycle.share("jitter", worker_.recycle.jitter);
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
  ProgramReader program(*table, "worker", directory, surroundings, mistakes);
  return WorkerReader(program).read();
}

}  // namespace clusterd::config
