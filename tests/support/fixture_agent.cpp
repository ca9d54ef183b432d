// An agent program, and the workers that talk to it: fixture-agent FOLDER, in either role. What it
// sees goes into files of that folder, by one write a line, so that no KILL takes anything back.
//
// The agent: "start PID", "tick PID SENDER NUMBER", "event NAME" and "stop PID" in FOLDER/agent;
// and "second PID" if another one lives. Files that are there tell it what to do: "die" (at its
// start), "deaf" (hears nothing, not even TERM), "patient" (leaves when its runs are over).
// Messages: "throw" escapes its handler, "ask" is answered with its pid.
// Schedules: "well" ends well, "throw" throws its data, "die" ends the process, and "wait" is over
// when there is FOLDER/go; each says "run NAME" when it begins, the last also "over wait".
//
// A worker serves nothing. It sends the agent 1,000 ticks a second, numbered from 1, until there is
// FOLDER/halt; "sent NUMBER", "missed COUNT" and "event NAME" are in FOLDER/worker-PID.
#include "common/environment.h"
#include "common/unique_fd.h"

#include <clusterd/agent.hpp>
#include <clusterd/worker.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <functional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/file.h>
#include <sys/timerfd.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

const std::string kPid = std::to_string(::getpid());

class Diary {
 public:
  explicit Diary(const std::string& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {}
  void write(const std::string& line) const {
    const std::string whole = line + "\n";
    (void)!::write(fd_.get(), whole.data(), whole.size());
  }

 private:
  clusterd::UniqueFd fd_;
};

bool is_there(const std::string& folder, const char* name) {
  return ::access((folder + "/" + name).c_str(), F_OK) == 0;
}

void ignore_term() {
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGTERM, &ignore, nullptr);
}

/// Held until this process ends, however it does.
clusterd::UniqueFd be_the_only_one(const std::string& folder, const Diary& diary) {
  clusterd::UniqueFd lock(::open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) < 0) diary.write("second " + kPid);
  return lock;
}

/// `waiting` are threads that are to be joined.
void take_runs(clusterd::Agent& agent, const std::string& folder, const Diary& diary,
               std::vector<std::jthread>& waiting) {
  const auto begun = [&](const clusterd::Run& run) {
    diary.write("run " + std::string(run.schedule()));
  };
  agent.on_schedule("well", begun);
  agent.on_schedule("throw", [begun](const clusterd::Run& run) {
    begun(run);
    throw std::runtime_error(std::string(run.data()));
  });
  agent.on_schedule("die", [begun](const clusterd::Run& run) {
    begun(run);
    ::_exit(7);
  });
  agent.on_schedule("wait", [&, begun](const clusterd::Run& run) {
    begun(run);
    waiting.emplace_back([&, run] {
      while (!is_there(folder, "go")) ::poll(nullptr, 0, 2);
      diary.write("over wait");
      run.done();
    });
  });
}

int be_agent(const std::string& folder) {
  const Diary diary(folder + "/agent");
  const clusterd::UniqueFd lock = be_the_only_one(folder, diary);
  if (is_there(folder, "die")) return 3;
  diary.write("start " + kPid);
  std::vector<std::jthread> waiting;
  clusterd::Agent agent;
  take_runs(agent, folder, diary, waiting);
  agent.on("tick", [&](const clusterd::Message& message) {
    diary.write("tick " + kPid + " " + std::to_string(message.sender_pid) + " " +
                std::string(message.data));
  });
  agent.on("throw", [](const clusterd::Message& message) {
    throw std::runtime_error(std::string(message.data));
  });
  agent.on("ask", [&](const clusterd::Message& message) { agent.reply(message, kPid); });
  agent.on_event([&](std::string_view event) { diary.write("event " + std::string(event)); });
  agent.on_error([&](std::string_view what) { diary.write("error " + std::string(what)); });
  if (!is_there(folder, "patient")) {
    agent.on_stop([&] {
      diary.write("stop " + kPid);
      agent.stop();
    });
  }
  const bool deaf = is_there(folder, "deaf");
  if (deaf) ignore_term();
  agent.ready();
  if (!deaf) return agent.run();
  for (;;) ::pause();
}

struct Ticker {
  clusterd::Worker& worker;
  const Diary& diary;
  const std::string& folder;
  int sent = 0;
  bool halted = false;

  void tick() {
    if (halted) return;
    if ((halted = is_there(folder, "halt"))) return diary.write("sent " + std::to_string(sent));
    for (int i = 0; i < 10; ++i) {
      if (worker.send_to_agent("tick", std::to_string(sent + 1))) ++sent;
    }
  }
};

int be_worker(const std::string& folder) {
  const Diary diary(folder + "/worker-" + kPid);
  clusterd::Worker worker;
  worker.listen(clusterd::Endpoint("", "127.0.0.1:0"), [](clusterd::Connection) {});
  worker.on_undelivered([&](std::string_view, std::int64_t count) {
    diary.write("missed " + std::to_string(count));
  });
  worker.on_event([&](std::string_view event) { diary.write("event " + std::string(event)); });
  Ticker ticker{worker, diary, folder};
  const clusterd::UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  const itimerspec each{{0, 10'000'000}, {0, 10'000'000}};
  ::timerfd_settime(timer.get(), 0, &each, nullptr);
  worker.watch(timer.get(), [&] {
    std::uint64_t times = 0;
    if (::read(timer.get(), &times, sizeof times) > 0) ticker.tick();
  });
  worker.ready();
  return worker.run();
}

}  // namespace

int main(int argc, char** argv) {
  const char* role = std::getenv(clusterd::kEnvRole);
  const std::string folder = argc > 1 ? argv[1] : ".";
  try {
    return role != nullptr && std::string(role) == "agent" ? be_agent(folder) : be_worker(folder);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fixture-agent: %s\n", error.what());
    return 1;
  }
}
