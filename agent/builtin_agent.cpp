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

/// Reads what the master says. Nothing of it is for this version's agent.
Result<void> skip_messages(ChannelClient& channel) {
  for (;;) {
    const auto message = channel.next();
    if (!message) return message.error();
    if (!*message) return {};
  }
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
    if (auto skipped = skip_messages(*channel); !skipped) return fail(skipped.error());
  }
}

}  // namespace clusterd::agent
