#include "master/os/listener.h"

#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <chrono>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace clusterd::os {
namespace {

using namespace std::chrono_literals;
using test::eventually;

Address address_of(const std::string& text) {
  const auto address = Address::parse(text);
  REQUIRE(address.has_value());
  return *address;
}

Listener open(const std::string& text, int backlog = 16) {
  auto listener = Listener::open(address_of(text), backlog);
  REQUIRE(listener.has_value());
  return std::move(*listener);
}

UniqueFd connect_to(const Address& address) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), address.data(), address.size()) < 0) fd.reset();
  return fd;
}

UniqueFd accept_from(const Listener& listener) {
  UniqueFd fd;
  REQUIRE(eventually(
      [&] {
        fd.reset(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
        return static_cast<bool>(fd);
      },
      10s));
  return fd;
}

/// Has sent its SYN.
UniqueFd begin_to_connect(const Address& address) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(fd.get(), address.data(), address.size()) < 0) REQUIRE(errno == EINPROGRESS);
  return fd;
}

/// Whether it is known within `most` what became of a connect.
bool has_ended(const UniqueFd& fd, std::chrono::milliseconds most) {
  pollfd ends{fd.get(), POLLOUT, 0};
  return ::poll(&ends, 1, static_cast<int>(most.count())) == 1;
}

int error_of(const UniqueFd& fd) {
  int error = 0;
  socklen_t length = sizeof error;
  REQUIRE(::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0);
  return error;
}

/// What one end says arrives at the other.
void check_talk(const UniqueFd& from, const UniqueFd& to) {
  char heard = 0;
  CHECK(::send(from.get(), "x", 1, MSG_NOSIGNAL) == 1);
  CHECK(::recv(to.get(), &heard, 1, 0) == 1);
  CHECK(heard == 'x');
}

/// Connects by a path; 0 or errno.
int connect_by_path(UniqueFd& fd, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  fd = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* plain = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(fd.get(), plain, sizeof address) < 0 ? errno : 0;
}

bool has_ipv6() {
  const UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Address any = address_of("[::1]:0");
  return fd && ::bind(fd.get(), any.data(), any.size()) == 0;
}

}  // namespace

TEST_CASE("a listener on port 0 tells the address that the kernel chose") {
  std::vector<std::string> hosts{"127.0.0.1", "0.0.0.0"};
  if (has_ipv6()) hosts.insert(hosts.end(), {"[::1]", "[::]"});
  for (const std::string& host : hosts) {
    CAPTURE(host);
    const Listener listener = open(host + ":0");
    CHECK(listener.is_open());
    CHECK(listener.address().port() != 0);
    CHECK(listener.address().text() == host + ":" + std::to_string(listener.address().port()));
    CHECK(connect_to(listener.address()).get() >= 0);
  }
}

TEST_CASE("all addresses of IPv6 and all of IPv4 stand side by side on one port") {
  if (!has_ipv6()) {
    MESSAGE("this machine has no IPv6");
    return;
  }
  const Listener six = open("[::]:0");
  const std::string port = std::to_string(six.address().port());
  const auto four = Listener::open(address_of("0.0.0.0:" + port), 16);
  REQUIRE(four.has_value());
  CHECK(connect_to(address_of("127.0.0.1:" + port)).get() >= 0);
  CHECK(eventually([&] { return four->waiting() == 1; }, 10s));
  CHECK(six.waiting() == 0);
}

TEST_CASE("an address in use is an error that names it") {
  const Listener first = open("127.0.0.1:0");
  const auto second = Listener::open(first.address(), 16);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == std::errc::address_in_use);
  CHECK(second.error().message().find(first.address().text()) != std::string::npos);
}

TEST_CASE("an address of another machine is an error that names it") {
  const auto listener = Listener::open(address_of("192.0.2.1:8080"), 16);
  REQUIRE_FALSE(listener.has_value());
  CHECK(listener.error().code == std::errc::address_not_available);
  CHECK(listener.error().message().find("192.0.2.1:8080") != std::string::npos);
}

TEST_CASE("a port can be opened again while connections of an earlier run linger") {
  Listener first = open("127.0.0.1:0");
  UniqueFd client = connect_to(first.address());
  UniqueFd server = accept_from(first);
  server.reset();  // the side that closes first is the one that lingers
  client.reset();
  first.close();
  CHECK_FALSE(first.is_open());
  CHECK(Listener::open(first.address(), 16).has_value());
}

TEST_CASE("waiting counts the connections that nobody has accepted") {
  const Listener listener = open("127.0.0.1:0");
  CHECK(listener.waiting() == 0);
  std::vector<UniqueFd> clients;
  for (std::uint32_t count = 1; count <= 5; ++count) {
    clients.push_back(connect_to(listener.address()));
    CHECK(eventually([&] { return listener.waiting() == count; }, 10s));
  }
  const UniqueFd first = accept_from(listener);
  const UniqueFd second = accept_from(listener);
  CHECK(listener.waiting() == 3);
}

TEST_CASE("a closed listener has nobody waiting and refuses connections") {
  Listener listener = open("127.0.0.1:0");
  listener.close();
  CHECK(listener.waiting() == 0);
  CHECK(connect_to(listener.address()).get() < 0);
}

TEST_CASE("a listener that refuses the new keeps who is in its queue, and lets nobody in") {
  std::vector<std::string> hosts{"127.0.0.1"};
  if (has_ipv6()) hosts.insert(hosts.end(), "[::1]");
  for (const std::string& host : hosts) {
    CAPTURE(host);
    Listener listener = open(host + ":0");
    const UniqueFd early = connect_to(listener.address());
    REQUIRE(early);
    REQUIRE(eventually([&] { return listener.waiting() == 1; }, 10s));
    listener.refuse_new();
    const UniqueFd late = begin_to_connect(listener.address());
    CHECK_FALSE(has_ended(late, 200ms));
    CHECK(listener.waiting() == 1);
    check_talk(early, accept_from(listener));
    CHECK(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC) == -1);
    CHECK(errno == EAGAIN);
    // When it tries again, a second after the first time, there is no listener.
    listener.close();
    REQUIRE(has_ended(late, 10s));
    CHECK(error_of(late) == ECONNREFUSED);
  }
}

TEST_CASE("who was in the queue is served when the listener has refused the new and is closed") {
  Listener listener = open("127.0.0.1:0");
  const UniqueFd client = connect_to(listener.address());
  REQUIRE(client);
  listener.refuse_new();
  const UniqueFd server = accept_from(listener);
  listener.close();
  check_talk(client, server);
  check_talk(server, client);
}

TEST_CASE("a Unix socket that refuses the new keeps its queue, and its path is gone") {
  const test::TempDir dir;
  ListenerSpec spec;
  spec.kind = ListenerSpec::Kind::unix_socket;
  spec.at_path.path = dir.path("s.sock");
  auto listener = Listener::open(spec);
  REQUIRE(listener.has_value());
  UniqueFd early;
  REQUIRE(connect_by_path(early, spec.at_path.path) == 0);
  listener->refuse_new();
  UniqueFd late;
  CHECK(connect_by_path(late, spec.at_path.path) == ENOENT);
  const UniqueFd server = accept_from(*listener);
  listener->close();
  check_talk(early, server);
  check_talk(server, early);
}

TEST_CASE("a mode that is changed later is the socket's, and not that of what took its place") {
  const test::TempDir dir;
  UnixListenerSpec spec;
  spec.path = dir.path("s.sock");
  const auto listener = UnixListener::open(spec);
  REQUIRE(listener.has_value());
  spec.mode = 0666;
  CHECK(listener->share(spec).has_value());
  const auto mode_of = [](const std::string& path) {
    struct stat status{};
    CHECK(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
  };
  CHECK(mode_of(spec.path) == 0666);
  const std::string precious = dir.write("precious", "");
  REQUIRE(::chmod(precious.c_str(), 0600) == 0);
  REQUIRE(::unlink(spec.path.c_str()) == 0);
  SUBCASE("a symbolic link") { REQUIRE(::symlink(precious.c_str(), spec.path.c_str()) == 0); }
  SUBCASE("another name of a file") { REQUIRE(::link(precious.c_str(), spec.path.c_str()) == 0); }
  const auto refused = listener->share(spec);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().what.find("was replaced by something else") != std::string::npos);
  CHECK(mode_of(precious) == 0600);
}

TEST_CASE("a listener neither blocks nor is inherited") {
  const Listener listener = open("127.0.0.1:0");
  CHECK((::fcntl(listener.fd(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(listener.fd(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC) == -1);
  CHECK(errno == EAGAIN);
}

}  // namespace clusterd::os
