#include "master/runtime/hooks.h"

#include "common/environment.h"
#include "common/log.h"
#include "master/os/memory_file.h"
#include "master/runtime/child_spec.h"
#include "master/runtime/describe.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>
#include <utility>

namespace clusterd::runtime {
Hooks::Hooks(boost::asio::io_context& io, const config::Settings& settings,
             const rlimit& open_files, const Limits& limits)
    : io_(io), open_files_(open_files), limits_(limits), end_(io) {
  configure(settings);
}

void Hooks::configure(const config::Settings& settings) {
  name_ = settings.name;
  directory_ = settings.directory;
  programs_ = settings.hooks;
  std::erase_if(programs_, [](const auto& hook) { return hook.second.empty(); });
}

void Hooks::run(const std::string& event, const std::string& json) {
  if (!programs_.contains(event)) return;
  if (waiting_.size() >= limits_.waiting) {
    ++dropped_;
    if (dropped_unsaid_++ == 0) {
      log::warn("hook " + event + ": not run, like others from now on: " +
                std::to_string(limits_.waiting) + " wait for their turn");
    }
    return;
  }
  waiting_.push_back({event, json});
  start_next();
}

void Hooks::finish(std::function<void()> done) {
  if (waiting_.empty() && running_.empty()) return done();
  log::info("waiting for the hooks: " + std::to_string(waiting_.size() + running_.size()));
  done_ = std::move(done);
  end_.expires_after(limits_.timeout);
  end_.async_wait([this](boost::system::error_code error) {
    if (error || !done_) return;
    log::warn("hooks: " + std::to_string(waiting_.size() + running_.size()) +
              " are cut off, since the master ends");
    waiting_.clear();
    running_.clear();  // which kills them
    std::exchange(done_, nullptr)();
  });
}

void Hooks::start_next() {
  while (!waiting_.empty() && running_.size() < limits_.running) {
    const Job job = std::move(waiting_.front());
    waiting_.pop_front();
    start(job);
  }
  if (waiting_.empty()) tell_dropped();
}

void Hooks::start(const Job& job) {
  const auto program = programs_.find(job.event);
  if (program == programs_.end()) return;  // it was taken away while the event waited
  const auto input = os::memory_file("clusterd event", job.json + "\n");
  if (!input) return log::error("hook " + job.event + ": " + input.error().message());
  os::SpawnSpec spec;
  spec.program = program->second.front();
  spec.argv = program->second;
  spec.directory = directory_;
  spec.open_files = open_files_;
  spec.input = input->get();
  Environment env = inherited_environment();
  env[kEnvName] = name_;
  env[kEnvEvent] = job.event;
  for (const auto& [key, value] : env) spec.env.push_back(key + "=" + value);
  auto spawned = os::spawn(spec);
  if (!spawned) return log::error("hook " + job.event + ": " + spawned.error().message());

  const std::uint64_t id = next_id_++;
  auto& running = *running_
                       .emplace(id, std::make_unique<Running>(
                                        io_, job.event, os::ChildProcess(std::move(*spawned))))
                       .first->second;
  running.timeout.expires_after(limits_.timeout);
  running.timeout.async_wait([this, id](boost::system::error_code error) {
    const auto found = running_.find(id);
    if (error || found == running_.end()) return;
    log::error("hook " + found->second->event + ": killed, since it ran for " +
               describe(limits_.timeout));
    found->second->process.kill();
  });
  watch(id);
}

void Hooks::watch(std::uint64_t id) {
  running_.at(id)->exit.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                   [this, id](boost::system::error_code error) {
                                     if (!error) on_exit(id);
                                   });
}

void Hooks::on_exit(std::uint64_t id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  const auto end = found->second->process.reap();
  if (!end) return watch(id);
  const std::string event = found->second->event;
  running_.erase(found);  // first of all: the pidfd is closed, and its number free for others
  const std::string text = "hook " + event + " " + describe(to_status(*end));
  const bool well = !end->by_signal && !end->exec_failure && end->value == 0;
  log::write(well ? log::Level::debug : log::Level::error, text);
  start_next();
  if (!done_ || !running_.empty() || !waiting_.empty()) return;
  end_.cancel();
  std::exchange(done_, nullptr)();
}

bool Hooks::owns(pid_t pid) const {
  return std::any_of(running_.begin(), running_.end(),
                     [pid](const auto& entry) { return entry.second->process.pid() == pid; });
}

void Hooks::tell_dropped() {
  if (dropped_unsaid_ == 0) return;
  log::warn("hooks: " + std::to_string(dropped_unsaid_) + " were not run, since too many waited");
  dropped_unsaid_ = 0;
}

}  // namespace clusterd::runtime
