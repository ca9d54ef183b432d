#pragma once

#include "common/error.h"
#include "common/exit_code.h"
#include "common/unique_fd.h"
#include "config/command_line.h"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace clusterd::ctl {

/// What went wrong, for stderr, and the exit code that says it.
struct Failure {
  std::string text;
  int code = kExitSystem;
};

/// One verb and what is expected to come back.
struct Request {
  std::string verb;
  std::string line;      ///< JSON, without the newline
  bool patient = false;  ///< the answer takes as long as the verb; else it comes within 10 s
  int listener_fd = -1;  ///< when nobody reads from it any more, the rest need not come
};

/// One connection to a running master.
class Client {
 public:
  /// Finds the master's socket by its app.conf or directly, and connects.
  [[nodiscard]] static std::variant<Client, Failure> connect(const config::Target& target);

  /// Sends one verb and waits for the answer, a JSON object; {"ok":false} is a Failure.
  [[nodiscard]] std::variant<std::string, Failure> ask(const Request& request);

  /// A line that is not the last; false: that is enough.
  using OnLine = std::function<bool(std::string_view line)>;
  /// Sends one verb, and gives the last line of the answer, which has a member "ok"; or the line
  /// that was enough, or nothing if nobody listens any more. Each is a JSON object. The end of the
  /// master is a Failure.
  [[nodiscard]] std::variant<std::string, Failure> converse(const Request& request,
                                                            const OnLine& on_line);

  /// A pidfd of the master: readable when it has ended.
  [[nodiscard]] Result<UniqueFd> master_process() const;

 private:
  explicit Client(UniqueFd fd) : fd_(std::move(fd)) {}

  [[nodiscard]] Failure no_more(const std::string& verb, const Result<UniqueFd>& master) const;

  UniqueFd fd_;
};

/// Prints "clusterd: TEXT" on stderr; gives the code.
int report(const Failure& failure);

}  // namespace clusterd::ctl
