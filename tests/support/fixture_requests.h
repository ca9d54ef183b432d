#pragma once

#include <clusterd/worker.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace clusterd::test {

/// What fixture-worker does when it is asked to, one request a connection:
///
///   /NAME                     answers; "id is NAME" is a line of the answer
///   /slow?ms=N                answers after N ms, and serves others meanwhile
///   /suicide?reason=TEXT      Worker::suicide()
///   /throw?what=TEXT          throws from the handler
///   /hang?spin=1              never leaves the handler: asleep, or with spin at full speed
///   /exit?code=N   /abort     ends at once
///   /leak?mb=N                keeps and touches so much memory
///   /stderr?text=TEXT         writes a line there
///
/// All answer first, and act then; with `quiet=1` they act without an answer. `id=NAME` names the
/// request in the answer. In TEXT, + is a blank and %0A a newline, as in every query.
class FixtureRequests {
 public:
  explicit FixtureRequests(Worker& worker) : worker_(worker) {}

  /// Waits for the request, and serves it.
  void serve(Connection connection);

 private:
  using Words = std::map<std::string, std::string>;

  void answer(int fd, const std::string& id);
  void answer_later(Connection connection, const std::string& id, int ms);
  void act(const std::string& name, Words& words);

  Worker& worker_;
};

/// Calls `call` in so many ms, from the worker's loop, once.
void fixture_after(Worker& worker, int ms, std::function<void()> call);

/// The answer of every fixture: who it is, and the request's name, each on a line of its own
/// ("pid is 17", "slot is 0", "generation is 1", "worker is 3", "id is NAME").
[[nodiscard]] std::string fixture_answer(const std::string& id);

/// Waits up to 30 s for a request. The target without its first slash, or nothing.
[[nodiscard]] std::optional<std::string> fixture_target(int fd);

}  // namespace clusterd::test
