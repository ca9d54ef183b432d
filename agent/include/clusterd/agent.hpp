#pragma once

#include "clusterd/messenger.hpp"
#include "clusterd/run.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string_view>

/// The clusterd agent library: your own program beside the workers, of which there is never more
/// than one ([agent] command in app.conf). It is there before them, and ends after them.
///
///     clusterd::Agent agent;
///     agent.on("get-config", [&](const clusterd::Message& m) { agent.reply(m, config); });
///     config = load();
///     agent.ready();        // now the workers are started
///     return agent.run();
///
/// Threads: as of a Worker. Everything of one Agent is called from the one thread that runs it, but
/// any thread may send, ask and answer, post(), stop(), and call escaped() and errors().
///
/// What goes wrong at start is thrown as std::runtime_error. From then on nothing is, and nothing
/// ends the agent: an exception that escapes a handler is said on stderr in one line, counted, and
/// told to the master, whose event `agent_error` (and its hook) it is.
namespace clusterd {

namespace detail {
struct AgentState;
}  // namespace detail

inline namespace [[gnu::visibility("default")]] v0_1_0 {

/// Its messages are those of a Messenger. Its events are "cluster-ready" and "log-reload"; workers
/// hear "agent-start" when another agent program is ready and "agent-exit" when it has ended.
class Agent : public Messenger {
 public:
  using RunHandler = std::function<void(Run)>;

  /// Says hello if clusterd started this program.
  Agent();
  Agent(Agent&&) noexcept;
  Agent& operator=(Agent&&) noexcept;
  ~Agent();

  /// clusterd started this program (and may be gone since).
  [[nodiscard]] bool managed() const;

  /// Start-up is over: the workers may be started.
  void ready();

  /// Called once when the agent is to leave, or when its master is gone. What it has to finish it
  /// may finish now or later, and then calls stop(), before drain_timeout is over. Without this it
  /// stops by itself, when its runs of schedules are over.
  void on_stop(std::function<void()> callback);
  /// True from then on.
  [[nodiscard]] bool stopping() const;
  /// run() is to return. If nobody asked the agent to leave, clusterd starts another one.
  void stop();

  /// An exception has escaped a handler; `what` is its text.
  void on_error(std::function<void(std::string_view what)> callback);
  /// How many did.
  [[nodiscard]] std::uint64_t errors() const;
  /// For a loop of one's own: the same with an exception that escaped from there.
  void escaped(const std::exception_ptr& exception) noexcept;

  /// Called for each run of this [[schedule]], whose target is "agent". Before ready(): who has no
  /// handler gets a message in its place. An exception fails the run, and nothing else.
  void on_schedule(std::string_view schedule, RunHandler handler);

  /// Calls `call` from dispatch(), in the thread that runs the agent.
  void post(std::function<void()> call);

  /// Handles events until it is time to leave. Gives 0.
  int run();

  // With a loop of one's own: watch() its pollable descriptor, and run(); or poll fd() for reading,
  // call dispatch(), and leave when finished().

  [[nodiscard]] int fd() const;
  /// Handles what there is without waiting, or waits up to `timeout_ms` (-1 = for ever) for it.
  void dispatch(int timeout_ms = 0);
  /// stop() was called; or the agent is to leave and has no on_stop(), or its time is over.
  [[nodiscard]] bool finished() const;
  /// dispatch() also calls `on_readable` while `fd` is readable: a timer, a socket, another loop.
  void watch(int fd, std::function<void()> on_readable);
  /// Before `fd` is closed.
  void unwatch(int fd);

 private:
  explicit Agent(std::unique_ptr<detail::AgentState> state);

  std::unique_ptr<detail::AgentState> state_;
};

}  // namespace v0_1_0
}  // namespace clusterd
