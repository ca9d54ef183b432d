#pragma once

#include "config/settings.h"
#include "master/core/cluster.h"
#include "master/runtime/dispatcher.h"
#include "master/runtime/generations.h"
#include "master/runtime/reply.h"

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace clusterd::runtime {

/// Reloads and restarts, one at a time, from the request to the verdict: reads the file again,
/// opens what is new, asks the core to roll out, closes what is gone, and tells those who wait.
/// Whoever asks meanwhile waits for the next, which is one for all of them.
class Rollouts {
 public:
  struct Needs {
    const core::Cluster& cluster;
    Generations& generations;
    Dispatcher& dispatcher;
    std::function<void(core::Event)> handle;
    /// The end of a living child's stderr.
    std::function<std::string(ChildId)> last_words;
    /// Opens, beside the listeners, what else the next settings want; and lets that go again.
    std::function<Result<void>(const config::Settings&)> prepare;
    std::function<void()> abandon;
    /// These settings are what holds from now on.
    std::function<void(const config::Settings&)> in_force;
  };
  enum class Kind : std::uint8_t { reload, restart };

  /// `sets` are what --set said at the start; they hold for every reload.
  Rollouts(Needs needs, std::vector<std::string> sets);

  void ask(Kind kind, const Reply& reply);
  /// Says what a reload would change.
  void dry_run(const Reply& reply) const;

  /// Begins the next one if it can. After every event.
  void proceed();

  // As the core goes on.
  void committed();
  void ended(const core::RolloutEnded& ended);
  void tell(const core::Note& note) const;
  /// A child has ended: what nobody needs any more goes.
  void tidy();

  /// Whose settings hold: those of the last rollout that was done.
  [[nodiscard]] Generation in_force() const { return in_force_; }

 private:
  struct Request {
    Kind kind = Kind::reload;
    Reply reply;
  };
  struct Active {
    Generation generation{};
    std::vector<Reply> replies;
    std::vector<std::string> changes;
    std::uint32_t file_workers = 0;
    std::uint32_t program = 0;
    std::vector<core::ListenerIndex> suspended{};
  };

  /// `restarts`: the agent program too, whether it has changed or not.
  void begin(Kind kind, bool restarts, std::vector<Reply> replies);
  [[nodiscard]] Result<void> open(Generation generation, const config::Settings& settings);
  [[nodiscard]] std::optional<config::Settings> read(const std::vector<Reply>& replies) const;
  [[nodiscard]] config::Settings now() const;
  void keep_scale(config::Settings& settings) const;
  [[nodiscard]] std::string why_wait() const;

  Needs needs_;
  std::vector<std::string> sets_;
  Generation in_force_{1};
  std::uint32_t file_workers_;  ///< what the file said that is in force, however many there are
  std::uint32_t program_;       ///< core::Plan::program of what is in force
  std::deque<Request> queue_;
  std::optional<Active> active_;
};

}  // namespace clusterd::runtime
