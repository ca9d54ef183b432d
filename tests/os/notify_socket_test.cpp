#include "master/os/notify_socket.h"

#include "common/fd_passing.h"
#include "master/os/child_process.h"
#include "tests/support/eventually.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace clusterd::os {
namespace {

using namespace std::chrono_literals;
using test::eventually;

NotifySocket open_socket() {
  auto socket = NotifySocket::open();
  REQUIRE(socket.has_value());
  return std::move(*socket);
}

/// A socket as a service has it; this process is the service.
UniqueFd connect_to(const NotifySocket& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& name = socket.address();
  std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
  return fd;
}

bool say(const UniqueFd& service, const std::string& text) {
  return ::send(service.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

std::ptrdiff_t count_fds() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

/// A child in a group of its own that says `text` by way of a grandchild, and lives on.
ChildProcess speaker(const NotifySocket& socket, const std::string& text) {
  const std::string python =
      "import os, socket\n"
      "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
      "s.connect(chr(0) + os.environ['NOTIFY_SOCKET'][1:])\n"
      "s.send(b'" +
      text +
      "')\n"
      "import time; time.sleep(1000)\n";
  SpawnSpec spec{"/bin/sh",
                 {"sh", "-c", "python3 -c \"$1\" & wait", "sh", python},
                 {"PATH=/usr/bin:/bin", "NOTIFY_SOCKET=" + socket.address()},
                 "/",
                 -1,
                 {}};
  const UniqueFd channel(::open("/dev/null", O_RDWR | O_CLOEXEC));
  spec.channel = channel.get();
  ::getrlimit(RLIMIT_NOFILE, &spec.open_files);
  auto spawned = spawn(spec);
  REQUIRE(spawned.has_value());
  return ChildProcess(std::move(*spawned));
}

}  // namespace

TEST_CASE("a service is heard, in order, and each has a socket of its own") {
  NotifySocket one = open_socket();
  NotifySocket two = open_socket();
  CHECK(one.address() != two.address());
  CHECK(one.address().starts_with("@"));
  CHECK(one.address().size() > 1);
  const UniqueFd service = connect_to(one);
  CHECK(one.receive(::getpid()).empty());
  REQUIRE(say(service, "READY=1\nSTATUS=up"));
  REQUIRE(say(service, "WATCHDOG=1"));
  CHECK(one.receive(::getpid()) ==
        std::vector<notify::Said>{{.ready = true, .status = "up"}, {.watchdog = true}});
  CHECK(one.receive(::getpid()).empty());
  CHECK(two.receive(::getpid()).empty());
}

TEST_CASE("who is not of the child's group is not heard") {
  NotifySocket socket = open_socket();
  ChildProcess child = speaker(socket, "STATUS=mine");
  const UniqueFd stranger = connect_to(socket);
  REQUIRE(say(stranger, "STATUS=not mine"));
  std::vector<notify::Said> said;
  CHECK(eventually(
      [&] {
        const auto more = socket.receive(child.pid());
        said.insert(said.end(), more.begin(), more.end());
        return !said.empty();
      },
      20s));
  CHECK(said == std::vector<notify::Said>{{.status = "mine"}});
}

TEST_CASE("a datagram that is too long says nothing, and the next is heard") {
  NotifySocket socket = open_socket();
  const UniqueFd service = connect_to(socket);
  REQUIRE(say(service, "READY=1\n" + std::string(notify::kLongest, 'x')));
  REQUIRE(say(service, std::string(100'000, '\n')));
  REQUIRE(say(service, ""));
  REQUIRE(say(service, "READY=1"));
  CHECK(socket.receive(::getpid()) == std::vector<notify::Said>{{}, {}, {}, {.ready = true}});
}

TEST_CASE("descriptors that come along are closed, so that a barrier is passed") {
  NotifySocket socket = open_socket();
  const UniqueFd service = connect_to(socket);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const UniqueFd reads(ends[0]);
  UniqueFd writes(ends[1]);
  const std::ptrdiff_t before = count_fds();
  const std::vector<int> many(200, writes.get());
  REQUIRE(send_with_fds(service.get(), "BARRIER=1", many).has_value());
  writes.reset();
  char byte = 0;
  CHECK(::read(reads.get(), &byte, 1) < 0);  // it waits
  CHECK(socket.receive(::getpid()) == std::vector<notify::Said>{{.barrier = true}});
  CHECK(::read(reads.get(), &byte, 1) == 0);
  CHECK(count_fds() == before - 1);
}

TEST_CASE("a flood keeps nobody, and is bounded by the kernel's queue") {
  NotifySocket socket = open_socket();
  const UniqueFd service = connect_to(socket);
  std::size_t sent = 0;
  while (sent < 10'000 && say(service, "WATCHDOG=1")) ++sent;
  CHECK(sent < 10'000);
  std::size_t heard = 0;
  for (std::size_t more = 1; more > 0; heard += more) {
    more = socket.receive(::getpid()).size();
    CHECK(more <= 16);
  }
  CHECK(heard == sent);
}

}  // namespace clusterd::os
