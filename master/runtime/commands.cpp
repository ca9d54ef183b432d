#include "master/runtime/commands.h"

#include "common/log.h"
#include "master/runtime/child_spec.h"
#include "master/runtime/describe.h"
#include "master/runtime/output_frame.h"

#include <algorithm>
#include <csignal>
#include <utility>

namespace clusterd::runtime {
namespace {

/// Empty if it ended well.
std::string how(const os::ProcessEnd& end) {
  const bool well = !end.by_signal && !end.exec_failure && end.value == 0;
  return well ? "" : describe(to_status(end));
}

}  // namespace

void Commands::start(Id run, const std::string& run_text, const config::Schedule& schedule,
                     const config::Settings& settings) {
  if (auto started = spawn(run, run_text, schedule, settings); !started) {
    return ended_(run, started.error().message(), {});
  }
  watch(run);
}

Result<void> Commands::spawn(Id run, const std::string& run_text, const config::Schedule& schedule,
                             const config::Settings& settings) {
  os::SpawnSpec spec = command_spec(settings, schedule, run_text, open_files_);
  auto output = ChildOutput::open(io_, spec, settings.log.capture);
  if (!output) return output.error();
  auto spawned = os::spawn(spec);
  if (!spawned) return spawned.error();
  auto running = std::make_unique<Running>(io_, os::ChildProcess(std::move(*spawned)));
  running->output = std::move(*output);
  const LogOrigin origin{LogOrigin::Kind::schedule, 0, running->process.pid(), schedule.name};
  running->output.start(
      to_log(origin, settings.log.frame ? Framed::always : Framed::never, log_tail_));
  running_[run] = std::move(running);
  return {};
}

void Commands::end(Id run, bool now) {
  const auto found = running_.find(run);
  if (found == running_.end()) return;
  if (now) return found->second->process.kill();
  found->second->process.signal(SIGTERM);
}

void Commands::end_all_now() {
  for (const auto& [run, running] : running_) running->process.kill();
}

void Commands::finish(Duration patience, std::function<void()> done) {
  if (running_.empty()) return done();
  log::info("waiting for the programs of schedules: " + std::to_string(running_.size()));
  done_ = std::move(done);
  end_.expires_after(patience);
  end_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    end_all_now();
  });
}

void Commands::watch(Id run) {
  running_.at(run)->exit.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                    [this, run](boost::system::error_code error) {
                                      if (!error) on_exit(run);
                                    });
}

void Commands::on_exit(Id run) {
  const auto found = running_.find(run);
  if (found == running_.end()) return;
  const auto end = found->second->process.reap();
  if (!end) return watch(run);
  found->second->exit.release();  // the pidfd is closed, and its number free for others
  const std::string last_words = found->second->output.finish();
  running_.erase(found);
  ended_(run, how(*end), last_words);
  if (!done_ || !running_.empty()) return;
  end_.cancel();
  std::exchange(done_, nullptr)();
}

bool Commands::owns(pid_t pid) const {
  return std::any_of(running_.begin(), running_.end(),
                     [pid](const auto& entry) { return entry.second->process.pid() == pid; });
}

}  // namespace clusterd::runtime
