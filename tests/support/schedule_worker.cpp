// A worker that tells what it is given to do, a line each, in the file that RUNS names:
//
//     begin SCHEDULE RUN SLOT PID DATA      and "end", or "message ACTION - SLOT PID DATA"
//
// HANDLES names the schedules that it has handlers for, between blanks. What a handler does, the
// data of the schedule says: "ok" returns, "throw" throws, "fail" says fail(), "die" ends the
// process, a number ends the run after so many milliseconds.
#include <clusterd/worker.hpp>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// In one write, so that lines of several processes stay whole.
void tell(const std::string& what, std::string_view name, std::string_view run,
          std::string_view data) {
  static const int file =
      ::open(environment("RUNS").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  const std::string line = what + " " + std::string(name) + " " + std::string(run) + " " +
                           environment("CLUSTERD_SLOT") + " " + std::to_string(::getpid()) + " " +
                           std::string(data) + "\n";
  (void)!::write(file, line.data(), line.size());
}

std::vector<std::thread> threads;

void on_run(const clusterd::Run& run) {
  const std::string data(run.data());
  tell("begin", run.schedule(), run.id(), data);
  if (data == "\"throw\"") throw std::runtime_error("thrown");
  if (data == "\"fail\"") return run.fail("it failed");
  if (data == "\"die\"") ::_exit(7);
  const int ms = std::atoi(data.c_str());
  if (ms == 0) return tell("end", run.schedule(), run.id(), data);
  threads.emplace_back([run, data, ms] {
    ::poll(nullptr, 0, ms);
    tell("end", run.schedule(), run.id(), data);
    run.done();
  });
}

}  // namespace

int main() {
  clusterd::Worker worker;
  worker.listen("", [](const clusterd::Connection&) {});
  std::istringstream handles(environment("HANDLES"));
  for (std::string name; handles >> name;) worker.on_schedule(name, on_run);
  worker.on_message("", [](const clusterd::Message& message) {
    tell("message", message.action, "-", message.data);
  });
  worker.ready();
  const int code = worker.run();
  for (std::thread& each : threads) each.join();
  return code;
}
