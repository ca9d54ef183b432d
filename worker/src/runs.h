#pragma once

#include "clusterd/run.hpp"
#include "common/run_lines.h"
#include "worker/src/outbox.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace clusterd::detail {

/// Where the ends of runs are told. Outlives the program's loop if a Run does, and then tells
/// nobody.
class RunReports {
 public:
  /// Without an outbox there is no master, and no run. `wake` makes the loop turn; any thread may
  /// call it, until close().
  RunReports(std::shared_ptr<Outbox> outbox, std::function<void()> wake)
      : outbox_(std::move(outbox)), wake_(std::move(wake)) {}

  void say(const std::string& line);
  void began() { ++open_; }
  void ended(const protocol::Ran& ran);
  [[nodiscard]] std::uint32_t open() const { return open_; }
  void close();

 private:
  std::mutex mutex_;
  std::shared_ptr<Outbox> outbox_;
  std::function<void()> wake_;
  std::atomic<std::uint32_t> open_{0};
};

/// What is behind a Run.
struct RunState {
  RunState(protocol::RunNow now, std::shared_ptr<RunReports> to)
      : run(std::move(now)), reports(std::move(to)) {
    reports->began();
  }
  RunState(const RunState&) = delete;
  RunState& operator=(const RunState&) = delete;
  ~RunState() { end({}); }

  /// The first time counts. An empty text: it went well.
  void end(std::string error);

  const protocol::RunNow run;
  const std::shared_ptr<RunReports> reports;
  std::atomic<bool> over{false};
};

/// The runs of schedules, for their handlers. All of it is for the thread that runs the loop.
class Runs {
 public:
  using Handler = std::function<void(Run)>;

  Runs(std::shared_ptr<Outbox> outbox, std::function<void()> wake)
      : reports_(std::make_shared<RunReports>(std::move(outbox), std::move(wake))) {}
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;
  ~Runs() { reports_->close(); }

  /// Tells the master, too. An empty handler takes the one before off: runs then fail.
  void on_schedule(std::string_view schedule, Handler handler);
  void add(protocol::RunNow run) { waiting_.push_back(std::move(run)); }
  /// Calls the handlers of what has been added.
  void start();
  /// Some are not over.
  [[nodiscard]] bool open() const { return reports_->open() > 0; }

 private:
  std::shared_ptr<RunReports> reports_;
  std::map<std::string, std::shared_ptr<Handler>, std::less<>> handlers_;
  std::vector<protocol::RunNow> waiting_;
};

}  // namespace clusterd::detail
