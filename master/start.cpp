#include "master/start.h"

#include "common/exit_code.h"
#include "common/log.h"
#include "common/version.h"
#include "config/parse.h"
#include "master/os/control_socket.h"
#include "master/os/self.h"
#include "master/runtime/describe.h"
#include "master/runtime/open_listener.h"
#include "master/runtime/privileges.h"
#include "master/runtime/supervisor.h"

#include <cstdio>
#include <string>
#include <unistd.h>
#include <variant>
#include <vector>

namespace clusterd {
namespace {

int say(const std::string& text, int code) {
  log::say("clusterd: " + text);
  log::finish();  // and not stderr itself, which may be full for ever
  return code;
}

/// Prints what is wrong, one line each.
int say_mistakes(const std::string& file, const config::Mistakes& mistakes) {
  for (const config::Mistake& mistake : mistakes) {
    std::fprintf(stderr, "%s\n", config::text(file, mistake).c_str());
  }
  return kExitConfig;
}

/// What to do about an error of the system, where that is known.
std::string advice(const Error& error) {
  if (error.code == std::errc::permission_denied) {
    return " (a port below 1024 needs root or CAP_NET_BIND_SERVICE)";
  }
  return "";
}

Result<std::vector<os::Listener>> open_listeners(const config::Settings& settings) {
  std::vector<os::Listener> listeners;
  for (const config::Listen& listen : settings.listen) {
    auto listener = runtime::open_listener(listen);
    if (!listener) return listener.error();
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

os::ControlSocketSpec control_spec(const config::Control& control) {
  os::ControlSocketSpec spec{control.socket, control.mode};
  if (control.group) spec.group = control.group->gid;
  return spec;
}

/// The last that needs what root may, but for what reloads need, is done.
bool give_up_privileges(const config::Settings& settings, const rlimit& open_files) {
  const auto kept = runtime::give_up_privileges(settings, open_files);
  if (!kept) {
    say(kept.error().message(), kExitSystem);
    return false;
  }
  if (!kept->empty()) log::debug("keeps " + *kept);
  if (::geteuid() == 0 && !settings.user) {
    log::warn("workers run as root; set user, and they run as somebody else");
  }
  return true;
}

std::string last(const core::Outcome& outcome) {
  return outcome.status ? ": " + runtime::describe(*outcome.status) : "";
}

int end(const core::Outcome& outcome) {
  using Kind = core::Outcome::Kind;
  if (outcome.kind == Kind::stopped) log::info("stopped");
  log::finish();
  switch (outcome.kind) {
    case Kind::stopped:
      return 0;
    case Kind::never_started:
      return say("could not start: " + outcome.why + last(outcome), kExitGaveUp);
    case Kind::gave_up:
      return say("gave up: " + outcome.why + last(outcome), kExitGaveUp);
  }
  return kExitGaveUp;
}

}  // namespace

int run_start(const config::StartCommand& command) {
  const auto loaded = config::load(command.file, command.sets);
  if (const auto* mistakes = std::get_if<config::Mistakes>(&loaded)) {
    return say_mistakes(command.file, *mistakes);
  }
  const auto& settings = std::get<config::Settings>(loaded);
  if (auto may = runtime::may_change_user(settings); !may) {
    return say(may.error().message(), kExitSystem);
  }
  // The control socket first: of two starts of one file, the second is told about the first.
  auto control = os::open_control_socket(control_spec(settings.control));
  if (!control) return say(control.error().message(), kExitSystem);
  auto listeners = open_listeners(settings);
  if (!listeners) return say(listeners.error().message() + advice(listeners.error()), kExitSystem);

  os::ignore_sigpipe();
  const rlimit open_files = os::raise_open_files();
  log::start("master", settings.log.level);
  log::info(std::string("clusterd ") + kVersionText + ": " + settings.name + ", " +
            std::to_string(settings.workers) + (settings.workers == 1 ? " worker" : " workers") +
            (settings.workers_reason.empty() ? "" : " (" + settings.workers_reason + ")"));
  if (!os::schedule_as_batch()) log::debug("no SCHED_BATCH: hand-offs are slower under load");

  if (!give_up_privileges(settings, open_files)) return kExitSystem;

  core::Outcome outcome;
  {
    runtime::Supervisor supervisor(settings, command.sets, std::move(*listeners),
                                   std::move(*control), open_files);
    outcome = supervisor.run();
  }
  return end(outcome);
}

int run_check(const config::CheckCommand& command) {
  const auto loaded = config::load(command.file, command.sets);
  if (const auto* mistakes = std::get_if<config::Mistakes>(&loaded)) {
    return say_mistakes(command.file, *mistakes);
  }
  const auto& settings = std::get<config::Settings>(loaded);
  std::printf("%s: no mistakes; %s would run %u workers of %s\n", command.file.c_str(),
              settings.name.c_str(), settings.workers, settings.worker.program.c_str());
  return 0;
}

}  // namespace clusterd
