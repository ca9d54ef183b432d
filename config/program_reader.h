#pragma once

#include "config/mistake.h"
#include "config/parse.h"
#include "config/toml_reader.h"
#include "config/worker_settings.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace clusterd::config {

/// What the tables of programs, [worker] and [agent], have in common: what is run, as a process of
/// which kind, and where.
class ProgramReader {
 public:
  /// `name` is the table's, and a literal; `directory` is app.conf's.
  ProgramReader(const toml::table& table, std::string_view name, const std::string& directory,
                const Surroundings& surroundings, Mistakes& mistakes)
      : name_(name),
        reader_(table, name, mistakes),
        directory_(directory),
        surroundings_(surroundings),
        mistakes_(mistakes) {}

  /// There has to be one.
  void read_command();
  /// Files first, whose variables the table's own replace.
  void read_environment();
  void read_folder();
  /// Its limits, priority and umask.
  void read_process();

  [[nodiscard]] TomlReader& reader() { return reader_; }
  [[nodiscard]] Worker& program() { return program_; }
  [[nodiscard]] Mistakes& mistakes() { return mistakes_; }
  [[nodiscard]] const Surroundings& surroundings() const { return surroundings_; }

 private:
  void read_env_files();
  void read_env_file(const toml::node& node);
  void read_env();
  [[nodiscard]] std::optional<std::uint64_t> read_bytes_limit(std::string_view key);
  [[nodiscard]] bool is_unlimited(std::string_view key) const;
  [[nodiscard]] std::string path(std::string_view key) const {
    return std::string(name_) + "." + std::string(key);
  }

  std::string_view name_;
  TomlReader reader_;
  const std::string& directory_;
  const Surroundings& surroundings_;
  Mistakes& mistakes_;
  Worker program_;
};

}  // namespace clusterd::config
