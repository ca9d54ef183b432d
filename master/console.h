#pragma once

#include "common/unique_fd.h"

#include <utility>

namespace clusterd {

/// Who has started a master and cannot see its log: told how that goes, and nothing afterwards.
class Console {
 public:
  /// Who sees our stderr as it is now, before the log gets a file.
  [[nodiscard]] static Console foreground();
  [[nodiscard]] static Console of_starter(UniqueFd to_starter);

  /// It is up.
  void ready();
  /// It has ended with an error. If it had not been up, the last lines of the log say why.
  void failed();

 private:
  Console(UniqueFd out, bool is_starter) : out_(std::move(out)), is_starter_(is_starter) {}

  UniqueFd out_;
  bool is_starter_;
};

}  // namespace clusterd
