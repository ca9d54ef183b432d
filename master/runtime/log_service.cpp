#include "master/runtime/log_service.h"

#include "common/log.h"

#include <chrono>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <utility>
#include <vector>

namespace clusterd::runtime {
namespace {

/// Something waits for so long, and none of it is taken: nobody reads.
constexpr auto kLook = std::chrono::seconds(5);

std::uint64_t unread(int pipe) {
  int bytes = 0;
  return ::ioctl(pipe, FIONREAD, &bytes) == 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

}  // namespace

LogService::LogService(boost::asio::io_context& io, const config::Log& settings,
                       std::optional<LogSink> sink, std::function<void()> period_over)
    : settings_(settings),
      sink_(std::move(sink)),
      period_over_(std::move(period_over)),
      timer_(io) {
  if (sink_) watch();
}

void LogService::serve(std::shared_ptr<Channel> agent) {
  agent_ = std::move(agent);
  if (sink_) tell(true);
}

void LogService::tell(bool with_pipe) {
  std::vector<UniqueFd> fds;
  if (with_pipe) {
    fds.emplace_back(::fcntl(sink_->read, F_DUPFD_CLOEXEC, 0));
    if (!fds.back()) {
      log::error(errno_error("copy the pipe of the log").message());
      fds.clear();
    }
  }
  const protocol::WriteLog order{static_cast<std::int64_t>(fds.size()), sink_->path,
                                 settings_.rules, !was_written_};
  agent_->send(encode(order), std::move(fds));
}

void LogService::said(const protocol::LogWritten& what) {
  if (what.error.empty()) {
    was_written_ = true;
    if (!std::exchange(error_, {}).empty()) log::info("the log is written again");
  } else if (what.error != std::exchange(error_, what.error)) {
    log::aside("the log is not written: " + what.error);
  }
  if (what.period_over) period_over_();
}

bool LogService::reopen() {
  if (!sink_ || !agent_ || agent_->is_gone()) return false;
  tell(false);
  return true;
}

void LogService::commit(const config::Log& settings) {
  const bool changed = settings.rules != settings_.rules;
  settings_ = settings;
  if (changed && sink_ && agent_) tell(false);
}

void LogService::watch() {
  timer_.expires_after(kLook);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    look();
    watch();
  });
}

void LogService::look() {
  const std::uint64_t waiting = unread(sink_->read);
  const std::uint64_t taken = log::written() - waiting;
  const bool stuck = waiting > 0 && taken == taken_;
  taken_ = taken;
  if (stuck == std::exchange(stuck_, stuck)) return;
  if (stuck) {
    log::aside("nobody writes the log " + sink_->path + ": the agent " +
               (error_.empty() ? "is gone or does not turn" : "cannot, " + error_) +
               "; what it has no room for is dropped");
  } else {
    log::aside("the log is written again; " + std::to_string(log::dropped()) +
               " lines were dropped in all");
  }
}

}  // namespace clusterd::runtime
