#include "common/clock.h"
#include "master/ctl/client.h"
#include "master/ctl/verbs.h"

#include <cerrno>
#include <cstdio>
#include <poll.h>

namespace clusterd::ctl {

int run(const config::StopCommand& command) {
  auto connected = Client::connect(command.target);
  if (const auto* failure = std::get_if<Failure>(&connected)) return report(*failure);
  auto& client = std::get<Client>(connected);
  // Before the stop is asked for: afterwards the master may be gone, and its number another's.
  const auto master = client.master_process();
  if (!master) return report({master.error().message(), kExitSystem});

  const TimePoint start = Clock::now();
  auto answer = client.ask(
      {"stop", command.now ? "{\"verb\":\"stop\",\"now\":true}" : "{\"verb\":\"stop\"}"});
  if (const auto* failure = std::get_if<Failure>(&answer)) return report(*failure);
  if (!command.wait) return 0;

  pollfd gone{master->get(), POLLIN, 0};
  while (::poll(&gone, 1, -1) < 0) {
    if (errno != EINTR) return report({errno_error("wait for the master").message(), kExitSystem});
  }
  const std::chrono::duration<double> took = Clock::now() - start;
  std::printf("stopped in %.2f s\n", took.count());
  return 0;
}

}  // namespace clusterd::ctl
