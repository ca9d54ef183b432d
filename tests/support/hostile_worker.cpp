#include "tests/support/hostile_worker.h"

#include "common/environment.h"
#include "common/fd_passing.h"
#include "common/protocol.h"
#include "tests/support/hostile_hands.h"

#include <array>
#include <clusterd/worker.hpp>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace clusterd::test {
namespace {

template <typename T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}

HostileHands start() {
  auto channel = ChannelClient::from_environment();
  if (!channel) throw std::runtime_error("no master");
  HostileHands hands{std::move(*channel), {}, nullptr};
  const auto welcome = need(hands.channel.hello());
  hands.fds = need(hands.channel.take_fds(welcome.fds));
  hands.page = static_cast<handoff::Page*>(::mmap(
      nullptr, handoff::kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, hands.fds[1].get(), 0));
  // Whatever becomes of the test, nothing hostile outlives its master.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)hands.channel.send(encode(protocol::Listen{1, ""}));
  (void)need(hands.channel.wait());
  (void)hands.channel.send(encode(protocol::Ready{}));
  return hands;
}

void no_matter(int) {}

/// Not before the cluster serves: a worker that dies again and again at the start ends the start.
/// In accept race, where nothing is offered, USR1 says it.
void wait_for_offer(HostileHands& hands) {
  struct sigaction interrupted{};
  interrupted.sa_handler = no_matter;
  ::sigaction(SIGUSR1, &interrupted, nullptr);
  pollfd ready{hands.fds[0].get(), POLLIN, 0};
  ::poll(&ready, 1, 60'000);
}

/// Stays until it is killed, taking nothing.
[[noreturn]] void stay() {
  for (;;) ::poll(nullptr, 0, -1);
}

/// The master must not die of SIGBUS at its next look.
void shrink(HostileHands& hands) {
  if (::ftruncate(hands.fds[1].get(), 0) == 0) send_all(hands, "the page could be shrunk\n");
}

void claim_too_much(HostileHands& hands) {
  hands.page->window.store(handoff::Window{1'000'000, 500'000}.pack());
  ::eventfd_write(hands.fds[2].get(), 1);
}

void claim_backwards(HostileHands& hands) {
  hands.page->window.store(handoff::Window{0xFFFF'FFF0U, 0xFFFF'FFF0U}.pack());
  ::eventfd_write(hands.fds[2].get(), 1);
}

[[noreturn]] void wake_flood(HostileHands& hands) {
  for (;;) ::eventfd_write(hands.fds[2].get(), 1);
}

/// Descriptors that nobody asked for, by the hundred.
void send_descriptors(HostileHands& hands) {
  std::array<int, 200> fds;
  fds.fill(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  for (int i = 0; i < 50; ++i) {
    if (!send_with_fds(hands.channel.fd(), "{\"cmd\":\"x\"}\n", fds)) break;
  }
  send_all(hands, "no JSON\n");
}

const HostileModes& modes() {
  static const HostileModes all = [] {
    HostileModes some{
        {"shrink", shrink},
        {"claim-too-much", claim_too_much},
        {"claim-backwards", claim_backwards},
        {"fill-page", fill_page},
        {"wake-flood", wake_flood},
        {"send-descriptors", send_descriptors},
    };
    some.insert(hostile_talk().begin(), hostile_talk().end());
    some.insert(hostile_leaving().begin(), hostile_leaving().end());
    return some;
  }();
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

void send_all(HostileHands& hands, const std::string& bytes) {
  const char* at = bytes.data();
  for (std::size_t left = bytes.size(); left > 0;) {
    const ssize_t sent = ::send(hands.channel.fd(), at, left, MSG_NOSIGNAL);
    if (sent <= 0) return;
    at += sent;
    left -= static_cast<std::size_t>(sent);
  }
}

void fill_page(HostileHands& hands) {
  auto* bytes = reinterpret_cast<unsigned char*>(hands.page);
  for (std::size_t at = 0; at < handoff::kPageSize; ++at) bytes[at] = 0xFF;
  ::eventfd_write(hands.fds[2].get(), 1);
}

bool is_hostile(const std::string& mode) { return modes().contains(mode); }

int run_hostile(const std::string& mode) {
  const char* slot = std::getenv(kEnvSlot);
  if (slot == nullptr || std::string(slot) != "0") return serve_decently();
  HostileHands hands = start();
  wait_for_offer(hands);
  modes().at(mode)(hands);
  stay();
}

}  // namespace clusterd::test
