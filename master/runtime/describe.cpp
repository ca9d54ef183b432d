#include "master/runtime/describe.h"

#include <cstdio>
#include <cstring>
#include <system_error>

namespace clusterd::runtime {
namespace {

std::string format(double value, const char* unit) {
  char text[48];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f %s" : "%.0f %s", value, unit);
  return text;
}

}  // namespace

core::ExitStatus to_status(const os::ProcessEnd& end) {
  using Kind = core::ExitStatus::Kind;
  if (end.exec_failure) {
    return {Kind::not_started, end.exec_failure->error, false,
            os::ExecFailure::name(end.exec_failure->stage)};
  }
  return {end.by_signal ? Kind::signaled : Kind::exited, end.value, end.dumped_core, {}};
}

std::string describe(const core::ExitStatus& status) {
  using Kind = core::ExitStatus::Kind;
  switch (status.kind) {
    case Kind::exited:
      return "exited with code " + std::to_string(status.value);
    case Kind::signaled:
      return "killed by signal " + std::to_string(status.value) + " (" + signal_name(status.value) +
             ")" + (status.dumped_core ? ", core dumped" : "");
    case Kind::not_started:
      return "not started: " + status.detail + ": " + std::system_category().message(status.value);
  }
  return "ended";
}

std::string describe(const core::ExitStatus& status, const std::string& why) {
  return describe(status) + (why.empty() ? "" : ", since " + why);
}

const char* state_name(const core::Cluster& cluster) {
  if (cluster.state() == core::ClusterState::running) {
    if (cluster.rollout()) return "reloading";
    for (const Role role : kRoles) {
      if (!cluster.at_strength(role)) return "degraded";
    }
  }
  if (cluster.state() == core::ClusterState::delaying) return "stopping";
  return core::to_string(cluster.state());
}

const char* policy_name(config::Policy policy) {
  switch (policy) {
    case config::Policy::round_robin:
      return "round-robin";
    case config::Policy::accept_race:
      return "accept-race";
    case config::Policy::least_connections:
      return "least-connections";
    case config::Policy::sticky:
      return "sticky";
  }
  return "?";
}

std::string describe(const core::Outcome& outcome) {
  using Kind = core::Outcome::Kind;
  if (outcome.kind == Kind::stopped) return "stopped";
  return (outcome.kind == Kind::gave_up ? "gave up: " : "could not start: ") + outcome.why +
         (outcome.status ? ": " + describe(*outcome.status) : "");
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? name : std::to_string(signal);
}

std::string describe(Duration duration) {
  const double value = std::chrono::duration<double>(duration).count();
  if (value < 1e-3) return format(value * 1e6, "us");
  if (value < 1) return format(value * 1e3, "ms");
  if (value < 120) return format(value, "s");
  if (value < 7200) return format(value / 60, "min");
  if (value < 172800) return format(value / 3600, "h");
  return format(value / 86400, "days");
}

double seconds(Duration duration) {
  const auto whole = std::chrono::round<std::chrono::milliseconds>(duration);
  return static_cast<double>(whole.count()) / 1000;
}

}  // namespace clusterd::runtime
