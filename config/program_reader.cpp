#include "config/program_reader.h"

#include "config/choices.h"
#include "config/defaults.h"
#include "config/env_file.h"
#include "config/parse_program.h"

#include <utility>
#include <vector>

namespace clusterd::config {

void ProgramReader::read_command() {
  std::optional<std::vector<std::string>> words = reader_.words("command");
  if (!words) return;
  if (words->empty()) return reader_.blame("command", "is empty: nothing to run");
  program_.command = std::move(*words);
  program_.program =
      read_program(reader_, "command", program_.command[0], directory_, surroundings_);
}

void ProgramReader::read_environment() {
  read_env_files();
  read_env();
}

void ProgramReader::read_env_files() {
  const toml::node* node = reader_.find("env_file");
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr) return read_env_file(*node);
  for (const toml::node& element : *array) read_env_file(element);
}

void ProgramReader::read_env_file(const toml::node& node) {
  constexpr std::string_view kWanted = "a path or an array of paths";
  const std::optional<std::string> file = reader_.string("env_file", node, kWanted);
  if (!file) return;
  if (file->empty()) return reader_.wrong("env_file", kWanted, node);
  program_.env_files.push_back(resolved(directory_, *file));
  const Result<std::string> text =
      surroundings_.read_file(program_.env_files.back(), kMostFileBytes);
  if (text.has_value()) return parse_env_file(escaped(*file), *text, program_.env, mistakes_);
  reader_.blame(
      place_of(node.source()),
      path("env_file") + ": " + in_quotes(*file, kMostPathBytes) + ": " + text.error().message());
}

void ProgramReader::read_env() {
  const toml::table* table = reader_.table("env");
  if (table == nullptr) return;
  const std::string title = path("env");
  TomlReader env(*table, title, mistakes_);
  for (const auto& [key, node] : *table) {
    const std::string name(key.str());
    if (const std::string why = why_not_variable(name); !why.empty()) {
      env.blame(place_of(key.source()), title + ": " + why);
    } else if (const std::optional<std::string> value = env.string(name, node)) {
      program_.env.insert_or_assign(name, *value);
    }
  }
}

void ProgramReader::read_folder() {
  program_.cwd = directory_;
  const std::optional<std::string> folder = reader_.path("cwd", directory_);
  if (!folder) return;
  const std::string why = surroundings_.why_not_folder(*folder);
  if (!why.empty()) reader_.blame("cwd", in_quotes(*folder, kMostPathBytes) + ": " + why);
  program_.cwd = *folder;
}

void ProgramReader::read_process() {
  reader_.choice<Sched>("sched", "scheduling policy", kScheds, program_.sched);
  program_.umask = reader_.octal("umask");
  if (const auto nofile = reader_.integer("nofile", {64, 1'000'000'000})) {
    program_.nofile = static_cast<std::uint64_t>(*nofile);
  }
  if (const auto nice = reader_.integer("nice", {-20, 19})) program_.nice = static_cast<int>(*nice);
  if (is_unlimited("nproc")) {
    program_.nproc = kUnlimited;
  } else if (const auto nproc =
                 reader_.integer("nproc", {1, 1'000'000'000}, R"("unlimited" or )")) {
    program_.nproc = static_cast<std::uint64_t>(*nproc);
  }
  program_.memlock = read_bytes_limit("memlock");
  program_.core = read_bytes_limit("core");
}

bool ProgramReader::is_unlimited(std::string_view key) const {
  const toml::node* node = reader_.find(key);
  return node != nullptr && node->value<std::string_view>() == "unlimited";
}

std::optional<std::uint64_t> ProgramReader::read_bytes_limit(std::string_view key) {
  if (reader_.find(key) == nullptr) return std::nullopt;
  if (is_unlimited(key)) return kUnlimited;
  std::uint64_t bytes = 0;
  reader_.bytes(key, 0, bytes);
  return bytes;
}

}  // namespace clusterd::config
