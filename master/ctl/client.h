#pragma once

#include "common/error.h"
#include "common/unique_fd.h"
#include "config/command_line.h"

#include <string>
#include <variant>

namespace clusterd::ctl {

/// Exit codes of the client verbs (sysexits.h), as in the manual.
inline constexpr int kUsage = 64;
inline constexpr int kNoSuchMaster = 69;
inline constexpr int kInternal = 70;
inline constexpr int kSystem = 71;
inline constexpr int kConfig = 78;

/// What went wrong, for stderr, and the exit code that says it.
struct Failure {
  std::string text;
  int code = kSystem;
};

/// One connection to a running master.
class Client {
 public:
  /// Finds the master's socket by its app.conf or directly, and connects.
  [[nodiscard]] static std::variant<Client, Failure> connect(const config::Target& target);

  /// Sends one verb and waits for the answer, a JSON object; {"ok":false} is a Failure.
  [[nodiscard]] std::variant<std::string, Failure> ask(const std::string& request);

  /// A pidfd of the master: readable when it has ended.
  [[nodiscard]] Result<UniqueFd> master_process() const;

 private:
  explicit Client(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

/// Prints "clusterd: TEXT" on stderr; gives the code.
int report(const Failure& failure);

}  // namespace clusterd::ctl
