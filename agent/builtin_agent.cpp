#include "agent/builtin_agent.h"

#include "common/channel_client.h"

#include <cerrno>
#include <cstdio>
#include <poll.h>

namespace clusterd::agent {
namespace {

constexpr int kExitFailed = 1;

int fail(const Error& error) {
  std::fprintf(stderr, "clusterd agent: %s\n", error.message().c_str());
  return kExitFailed;
}

}  // namespace

int run_builtin_agent() {
  auto channel = ChannelClient::from_environment();
  if (!channel) return fail(make_error("started without a master"));
  if (auto welcome = channel->hello(); !welcome) return fail(welcome.error());
  if (auto said = channel->send(encode(protocol::Ready{})); !said) return fail(said.error());
  for (;;) {
    pollfd ready{channel->fd(), POLLIN, 0};
    if (::poll(&ready, 1, -1) < 0) {
      if (errno == EINTR) continue;
      return fail(errno_error("poll the channel"));
    }
    const auto alive = channel->receive();
    if (!alive) return fail(alive.error());
    if (!*alive) return 0;
    for (;;) {
      const auto message = channel->next();
      if (!message) return fail(message.error());
      if (!*message) break;  // nothing that the master says is for this version's agent
    }
  }
}

}  // namespace clusterd::agent
