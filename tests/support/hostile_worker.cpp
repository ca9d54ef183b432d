#include "tests/support/hostile_worker.h"

#include "common/channel_client.h"
#include "common/environment.h"
#include "common/fd_passing.h"
#include "common/handoff.h"
#include "common/protocol.h"

#include <array>
#include <clusterd/worker.hpp>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <map>
#include <poll.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace clusterd::test {
namespace {

/// What a worker has in its hands after the welcome.
struct Hands {
  ChannelClient channel;
  std::vector<UniqueFd> fds;  ///< connection socket, page, eventfd
  handoff::Page* page = nullptr;
};

template <typename T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}

Hands start() {
  auto channel = ChannelClient::from_environment();
  if (!channel) throw std::runtime_error("no master");
  Hands hands{std::move(*channel), {}, nullptr};
  const auto welcome = need(hands.channel.hello());
  hands.fds = need(hands.channel.take_fds(welcome.fds));
  hands.page = static_cast<handoff::Page*>(::mmap(
      nullptr, handoff::kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, hands.fds[1].get(), 0));
  (void)hands.channel.send(encode(protocol::Listen{1, ""}));
  (void)need(hands.channel.wait());
  (void)hands.channel.send(encode(protocol::Ready{}));
  return hands;
}

void send_all(Hands& hands, const std::string& bytes) {
  const char* at = bytes.data();
  for (std::size_t left = bytes.size(); left > 0;) {
    const ssize_t sent = ::send(hands.channel.fd(), at, left, MSG_NOSIGNAL);
    if (sent <= 0) return;
    at += sent;
    left -= static_cast<std::size_t>(sent);
  }
}

void wait_for_offer(Hands& hands) {
  pollfd ready{hands.fds[0].get(), POLLIN, 0};
  ::poll(&ready, 1, 60'000);
}

/// Stays until it is killed, taking nothing.
[[noreturn]] void stay() {
  for (;;) ::poll(nullptr, 0, -1);
}

void garbage(Hands& hands) { send_all(hands, std::string(64, '\x7f') + "{]\n"); }

void endless_line(Hands& hands) { send_all(hands, std::string(1024 * 1024, ' ')); }

void half_a_command(Hands& hands) {
  send_all(hands, "{\"cmd\":\"CLUSTERD\",\"act\":\"listen\"}\n");
}

/// Asks for ever and never reads an answer.
void flood(Hands& hands) {
  const std::string ask = encode(protocol::Listen{1, "nobody"});
  std::string many;
  for (int i = 0; i < 100; ++i) many += ask;
  for (int i = 0; i < 1000; ++i) send_all(hands, many);
}

/// The master must not die of SIGBUS at its next look.
void shrink(Hands& hands) {
  if (::ftruncate(hands.fds[1].get(), 0) == 0) send_all(hands, "the page could be shrunk\n");
}

void claim_too_much(Hands& hands) {
  hands.page->window.store(handoff::Window{1'000'000, 500'000}.pack());
  ::eventfd_write(hands.fds[2].get(), 1);
}

void claim_backwards(Hands& hands) {
  hands.page->window.store(handoff::Window{0xFFFF'FFF0U, 0xFFFF'FFF0U}.pack());
  ::eventfd_write(hands.fds[2].get(), 1);
}

void fill_page(Hands& hands) {
  auto* bytes = reinterpret_cast<unsigned char*>(hands.page);
  for (std::size_t at = 0; at < handoff::kPageSize; ++at) bytes[at] = 0xFF;
  ::eventfd_write(hands.fds[2].get(), 1);
}

[[noreturn]] void wake_flood(Hands& hands) {
  for (;;) ::eventfd_write(hands.fds[2].get(), 1);
}

/// Descriptors that nobody asked for, by the hundred.
void send_descriptors(Hands& hands) {
  std::array<int, 200> fds;
  fds.fill(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  for (int i = 0; i < 50; ++i) {
    if (!send_with_fds(hands.channel.fd(), "{\"cmd\":\"x\"}\n", fds)) break;
  }
  send_all(hands, "no JSON\n");
}

void close_channel(Hands& hands) { ::shutdown(hands.channel.fd(), SHUT_RDWR); }

const std::map<std::string, std::function<void(Hands&)>>& modes() {
  static const std::map<std::string, std::function<void(Hands&)>> all{
      {"garbage", garbage},
      {"endless-line", endless_line},
      {"half-a-command", half_a_command},
      {"flood", flood},
      {"shrink", shrink},
      {"claim-too-much", claim_too_much},
      {"claim-backwards", claim_backwards},
      {"fill-page", fill_page},
      {"wake-flood", wake_flood},
      {"send-descriptors", send_descriptors},
      {"close-channel", close_channel},
  };
  return all;
}

int serve_decently() {
  Worker worker;
  worker.listen(Endpoint("", ""), [](Connection connection) {
    pollfd ready{connection.fd(), POLLIN, 0};
    char request[4096];
    if (::poll(&ready, 1, 5000) <= 0) return;
    (void)!::recv(connection.fd(), request, sizeof request, 0);
    const std::string body = "pid is " + std::to_string(::getpid());
    const std::string text =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    (void)!::send(connection.fd(), text.data(), text.size(), MSG_NOSIGNAL);
  });
  worker.ready();
  return worker.run();
}

}  // namespace

bool is_hostile(const std::string& mode) { return modes().contains(mode); }

int run_hostile(const std::string& mode) {
  const char* slot = std::getenv(kEnvSlot);
  if (slot == nullptr || std::string(slot) != "0") return serve_decently();
  Hands hands = start();
  // Not before the cluster serves: a worker that dies again and again at the start ends the start.
  wait_for_offer(hands);
  modes().at(mode)(hands);
  stay();
}

}  // namespace clusterd::test
