#include "master/start.h"

#include "common/exit_code.h"
#include "common/log.h"
#include "common/version.h"
#include "config/parse.h"
#include "master/background.h"
#include "master/console.h"
#include "master/os/control_socket.h"
#include "master/os/daemonize.h"
#include "master/os/from_manager.h"
#include "master/os/log_file.h"
#include "master/os/log_pipe.h"
#include "master/os/pid_file.h"
#include "master/os/self.h"
#include "master/runtime/describe.h"
#include "master/runtime/open_listener.h"
#include "master/runtime/privileges.h"
#include "master/runtime/supervisor.h"

#include <cstdio>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
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

Result<std::vector<os::Listener>> open_listeners(const config::Settings& settings,
                                                 const os::PassedSockets& passed) {
  std::vector<os::Listener> listeners;
  for (const config::Listen& listen : settings.listen) {
    auto listener = runtime::open_listener(listen, passed);
    if (!listener) return listener.error();
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

/// What no [[listen]] names stays open with the manager, where clients would wait for nobody.
void close_unused(os::PassedSockets& passed, const config::Settings& settings) {
  std::vector<std::string> wanted;
  for (const config::Listen& listen : settings.listen) {
    if (listen.kind == config::Listen::Kind::passed) wanted.push_back(listen.path);
  }
  for (const std::string& line : passed.close_all_but(wanted)) {
    log::warn("closed " + line + ": no [[listen]] of app.conf names it");
  }
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

int end(const core::Outcome& outcome) {
  using Kind = core::Outcome::Kind;
  if (outcome.kind == Kind::stopped) log::info("stopped");
  log::finish();
  switch (outcome.kind) {
    case Kind::stopped:
      return 0;
    case Kind::never_started:
    case Kind::gave_up:
      return say(runtime::describe(outcome), kExitGaveUp);
  }
  return kExitGaveUp;
}

/// The end of a log that is the agent's to write: the last lines come when there is no agent any
/// more. When nothing else of the master is left, since it may have to become another user.
class LogEnd {
 public:
  LogEnd(std::string path, os::LogPipe pipe, const std::optional<config::Identity>& user)
      : path_(std::move(path)), pipe_(std::move(pipe)) {
    if (user) identity_ = os::Identity{user->uid, user->gid, user->groups};
  }
  LogEnd(const LogEnd&) = delete;
  LogEnd& operator=(const LogEnd&) = delete;
  ~LogEnd() {
    const auto done = os::append_rest(path_, pipe_.read.get(), log::take_rest(), identity_);
    if (!done) log::aside(done.error().message());
    log::finish();
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const os::LogPipe& pipe() const { return pipe_; }

 private:
  std::string path_;
  os::LogPipe pipe_;
  std::optional<os::Identity> identity_;
};

/// Everything that a master has, in the order in which it gets it.
class Master {
 public:
  Master(const config::Settings& settings, const std::vector<std::string>& sets,
         os::FromManager manager, std::optional<Console> starter = {})
      : settings_(settings),
        sets_(sets),
        manager_(std::move(manager)),
        console_(std::move(starter)) {}

  int run() {
    const int code = start();
    log::finish();
    if (code != 0 && console_) console_->failed();
    return code;
  }

 private:
  int start();
  Result<void> write_to_file();
  Result<void> write_to_agent();
  void begin(runtime::Resources& resources);
  core::Outcome supervise(runtime::Resources resources);

  std::optional<LogEnd> log_end_;
  const config::Settings& settings_;
  const std::vector<std::string>& sets_;
  os::FromManager manager_;
  std::optional<Console> console_;  ///< who does not see the log
  os::PidFile pid_file_;
  std::optional<os::LogFile> log_file_;
};

int Master::start() {
  if (auto may = runtime::may_change_user(settings_); !may) {
    return say(may.error().message(), kExitSystem);
  }
  // The control socket first: of two starts of one file, the second is told about the first.
  auto control = os::open_control_socket(control_spec(settings_.control));
  if (!control) return say(control.error().message(), kExitSystem);
  if (!settings_.pidfile.empty()) {
    auto file = os::PidFile::open(settings_.pidfile);
    if (!file) return say(file.error().message(), kExitSystem);
    pid_file_ = std::move(*file);
  }
  auto listeners = open_listeners(settings_, manager_.sockets);
  if (!listeners) return say(listeners.error().message() + advice(listeners.error()), kExitSystem);
  auto http = runtime::open_http(settings_.http);
  if (!http) return say(http.error().message() + advice(http.error()), kExitSystem);
  if (auto done = write_to_file(); !done) return say(done.error().message(), kExitSystem);
  runtime::Resources resources{std::move(*listeners), std::move(*http), std::move(*control)};
  begin(resources);
  if (!give_up_privileges(settings_, resources.open_files)) return kExitSystem;
  return end(supervise(std::move(resources)));
}

Result<void> Master::write_to_file() {
  if (settings_.log.file.empty()) return {};
  if (settings_.log.rules.rotates()) return write_to_agent();
  Console before = Console::foreground();
  auto file = os::LogFile::open(settings_.log.file);
  if (!file) return file.error();
  log_file_ = std::move(*file);
  if (!console_) console_ = std::move(before);
  return {};
}

/// Stdout and stderr stay what they are, for who did not let us capture what it prints.
Result<void> Master::write_to_agent() {
  auto path = os::without_links(settings_.log.file);
  if (!path) return path.error();
  auto pipe = os::open_log_pipe();
  if (!pipe) return pipe.error();
  log_end_.emplace(std::move(*path), std::move(*pipe), settings_.user);
  if (!console_) console_ = Console::foreground();
  return {};
}

void Master::begin(runtime::Resources& resources) {
  os::ignore_sigpipe();
  resources.open_files = os::raise_open_files();
  log::start("master", settings_.log.level, settings_.log.format);
  if (log_end_) {
    log::write_into(log_end_->pipe().write.get());
    resources.log = runtime::LogSink{log_end_->pipe().read.get(), log_end_->path()};
  }
  log::info(std::string("clusterd ") + kVersionText + ": " + settings_.name + ", " +
            std::to_string(settings_.workers) + (settings_.workers == 1 ? " worker" : " workers") +
            (settings_.workers_reason.empty() ? "" : " (" + settings_.workers_reason + ")"));
  if (auto written = pid_file_.written(); !written) log::warn(written.error().message());
  close_unused(manager_.sockets, settings_);
  resources.manager = std::move(manager_);
  os::give_memory_back();
  if (!os::schedule_as_batch()) log::debug("no SCHED_BATCH: hand-offs are slower under load");
}

core::Outcome Master::supervise(runtime::Resources resources) {
  runtime::Outside outside{.all_ready = [this] {
    if (console_) console_->ready();
  }};
  if (log_file_) outside.reopen_log = [this] { return log_file_->reopen(); };
  runtime::Supervisor supervisor(settings_, sets_, std::move(resources), std::move(outside));
  return supervisor.run();
}

}  // namespace

int run_start(const config::StartCommand& command) {
  os::FromManager manager = os::take_from_manager();
  os::hold_signals();
  const auto loaded = config::load(command.file, command.sets);
  if (const auto* mistakes = std::get_if<config::Mistakes>(&loaded)) {
    return say_mistakes(command.file, *mistakes);
  }
  const auto& settings = std::get<config::Settings>(loaded);
  if (!command.daemon) {
    return Master(settings, command.sets, std::move(manager)).run();
  }
  if (os::is_first_process()) {
    return say("start --daemon: a container ends with its first process; leave --daemon away",
               kExitUsage);
  }
  auto made = os::daemonize(manager.descriptors());
  if (!made) return say(made.error().message(), kExitSystem);
  if (made->made) return wait_until_up(std::move(*made->made), settings.name);
  return Master(settings, command.sets, std::move(manager),
                Console::of_starter(std::move(made->to_starter)))
      .run();
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
