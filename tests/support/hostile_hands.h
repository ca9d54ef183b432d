#pragma once

#include "common/channel_client.h"
#include "common/handoff.h"
#include "common/unique_fd.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace clusterd::test {

/// What a worker has in its hands after the welcome.
struct HostileHands {
  ChannelClient channel;
  std::vector<UniqueFd> fds;  ///< connection socket, page, eventfd
  handoff::Page* page = nullptr;
};

using HostileModes = std::map<std::string, std::function<void(HostileHands&)>>;

/// All of it, in spite of whoever reads slowly; or none, if nobody reads any more.
void send_all(HostileHands& hands, const std::string& bytes);

/// The modes whose rules are broken on the channel.
[[nodiscard]] const HostileModes& hostile_talk();
/// The modes whose rules are broken by one that leaves.
[[nodiscard]] const HostileModes& hostile_leaving();

/// The whole page, nonsense, and the master is woken to see it.
void fill_page(HostileHands& hands);

}  // namespace clusterd::test
