// Where a worker's listeners come from: the master, or, without one, this process itself.
#include "common/address.h"
#include "worker/src/raise.h"
#include "worker/src/worker_state.h"

#include <netinet/in.h>
#include <string_view>
#include <sys/socket.h>

namespace clusterd::detail {
namespace {

constexpr int kOwnBacklog = 4096;

}  // namespace

Worker::ListenerId WorkerState::open(const Endpoint& endpoint) {
  auto listener = std::make_unique<ListenerState>();
  if (!managed) {
    open_own(endpoint, SOCK_STREAM, *listener);
  } else if (open_managed(endpoint, *listener)) {
    raise(make_error("\"" + endpoint.name + "\" is a UDP listener: use datagram()"));
  }
  listeners.push_back(std::move(listener));
  return static_cast<Worker::ListenerId>(listeners.size() - 1);
}

int WorkerState::open_datagram(const Endpoint& endpoint) {
  ListenerState listener;
  if (!managed) {
    open_own(endpoint, SOCK_DGRAM, listener);
  } else if (!open_managed(endpoint, listener)) {
    raise(make_error("\"" + endpoint.name + "\" is no UDP listener: use listen() or open()"));
  }
  datagrams.push_back(std::move(listener.socket));
  return datagrams.back().get();
}

bool WorkerState::open_managed(const Endpoint& endpoint, ListenerState& listener) {
  const std::int64_t seq = next_seq++;
  say(encode(protocol::Listen{seq, endpoint.name}));
  for (;;) {
    const protocol::FromMaster message = need(channel->wait());
    const auto* reply = std::get_if<protocol::Listening>(&message);
    if (reply == nullptr || reply->ack != seq) {
      on_message(message);  // handlers of messages are called by dispatch(), not from here
      continue;
    }
    if (reply->index < 0) raise(make_error(reply->error));
    listener.index = static_cast<std::uint32_t>(reply->index);
    listener.address = reply->address;
    auto fds = need(channel->take_fds(reply->fds));
    if (!fds.empty()) listener.socket = std::move(fds.front());
    return reply->datagram;
  }
}

void WorkerState::open_own(const Endpoint& endpoint, int type, ListenerState& listener) {
  if (endpoint.address.empty()) {
    raise(make_error("not started by clusterd, and no address is given to bind for \"" +
                     endpoint.name + "\""));
  }
  constexpr std::string_view kUdp = "udp://";
  std::string_view text = endpoint.address;
  if (type == SOCK_DGRAM && text.starts_with(kUdp)) text.remove_prefix(kUdp.size());
  const Address address = need(Address::parse(text));
  listener.socket.reset(::socket(address.family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = listener.socket.get();
  if (fd < 0) raise(errno_error("make a socket for " + endpoint.address));
  const int on = 1;
  if (type == SOCK_STREAM) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, address.data(), address.size()) < 0)
    raise(errno_error("bind " + endpoint.address));
  if (type == SOCK_STREAM && ::listen(fd, kOwnBacklog) < 0)
    raise(errno_error("listen on " + endpoint.address));
  sockaddr_storage real{};
  socklen_t length = sizeof real;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&real), &length);
  listener.address = need(Address::from(reinterpret_cast<sockaddr*>(&real), length)).text();
}

}  // namespace clusterd::detail
