#include "master/os/passed_sockets.h"

#include "master/os/from_manager.h"
#include "master/os/listener.h"
#include "tests/support/ear.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace clusterd::os {
namespace {

using test::TempDir;
using test::Variable;

UniqueFd bound(int domain, int type) {
  UniqueFd fd(::socket(domain, type | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

UniqueFd listening() {
  UniqueFd fd = bound(AF_INET, SOCK_STREAM);
  REQUIRE(::listen(fd.get(), 16) == 0);
  return fd;
}

UniqueFd listening_at(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd.get(), 16) == 0);
  return fd;
}

UniqueFd copy_of(const UniqueFd& fd) { return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)); }

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

std::string why_not(UniqueFd socket) {
  const auto listener = Listener::adopt(std::move(socket), "it");
  return listener ? "" : listener.error().message();
}

}  // namespace

TEST_CASE("a passed socket is found by its name, or the error says what there is") {
  PassedSockets sockets;
  CHECK(sockets.find("http").error().message() ==
        "no socket \"http\" was passed: there is none at all, as if not started by a socket unit");
  sockets.add("web", listening());
  sockets.add("ctl", listening());
  sockets.add("ctl", listening());
  CHECK(sockets.find("web").has_value());
  CHECK(sockets.find("web").has_value());
  CHECK(sockets.find("http").error().message() ==
        "no socket \"http\" was passed: there is \"web\", \"ctl\", \"ctl\"");
  CHECK(sockets.find("ctl").error().message().find("2 sockets that were passed are named") == 0);
}

TEST_CASE("passed sockets that nobody wants are closed, and told of") {
  PassedSockets sockets;
  UniqueFd web = listening();
  const int number = web.get();
  sockets.add("http", listening());
  sockets.add("web", std::move(web));
  const auto closed = sockets.close_all_but({"http"});
  REQUIRE(closed.size() == 1);
  CHECK(closed[0] == "descriptor " + std::to_string(number) + ", passed as \"web\"");
  CHECK_FALSE(is_open(number));
  CHECK(sockets.find("http").has_value());
  CHECK(sockets.find("web").error().message().find("closed since app.conf did not name it") !=
        std::string::npos);
}

TEST_CASE("what cannot be served is told from what can") {
  const TempDir dir;
  CHECK(why_not(listening()).empty());
  CHECK(why_not(bound(AF_INET, SOCK_DGRAM)).empty());
  CHECK(why_not(listening_at(dir.path("sock"))).empty());
  CHECK(why_not(bound(AF_INET, SOCK_STREAM)).find("does not listen") != std::string::npos);
  CHECK(why_not(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC))).find("no socket") !=
        std::string::npos);
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  const UniqueFd other(ends[1]);
  CHECK(why_not(UniqueFd(ends[0])).find("neither of TCP nor UDP") != std::string::npos);
  CHECK(why_not(UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))).find("neither") !=
        std::string::npos);
}

TEST_CASE("a passed listener has its real address, and does not block") {
  const TempDir dir;
  auto tcp = Listener::adopt(listening(), "http");
  REQUIRE(tcp);
  CHECK(tcp->text() == tcp->address().text());
  CHECK(tcp->address().port() != 0);
  CHECK_FALSE(tcp->is_datagram());
  CHECK((::fcntl(tcp->fd(), F_GETFL) & O_NONBLOCK) != 0);
  const auto at_path = Listener::adopt(listening_at(dir.path("sock")), "ctl");
  REQUIRE(at_path);
  CHECK(at_path->text() == "unix:" + dir.path("sock"));
  const auto udp = Listener::adopt(bound(AF_INET, SOCK_DGRAM), "dns");
  REQUIRE(udp);
  CHECK(udp->is_datagram());
}

TEST_CASE("a passed listener that closes takes nothing from its owner") {
  const TempDir dir;
  const UniqueFd owners = listening();
  const UniqueFd owners_path = listening_at(dir.path("sock"));
  auto tcp = Listener::adopt(copy_of(owners), "http");
  auto at_path = Listener::adopt(copy_of(owners_path), "ctl");
  REQUIRE(tcp);
  REQUIRE(at_path);
  const Address address = tcp->address();
  for (Listener* one : {&*tcp, &*at_path}) {
    one->refuse_new();
    one->close();
    CHECK_FALSE(one->is_open());
  }
  CHECK(::access(dir.path("sock").c_str(), F_OK) == 0);
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(client.get(), address.data(), address.size()) == 0);
  CHECK(UniqueFd(::accept(owners.get(), nullptr, nullptr)));
}

TEST_CASE("LISTEN_FDS that is another process's is left alone") {
  const Variable count("LISTEN_FDS", "1");
  const Variable names("LISTEN_FDNAMES", "http");
  const Variable pid("LISTEN_PID", std::to_string(::getpid() + 1));
  const bool was_open = is_open(3);
  FromManager left = take_from_manager();
  CHECK_FALSE(left.sockets.find("http"));
  CHECK(is_open(3) == was_open);
  CHECK(std::getenv("LISTEN_FDS") == nullptr);
}

}  // namespace clusterd::os
